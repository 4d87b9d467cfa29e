"""A decoder that dies or hangs takes its file with it, and nothing else."""

import gc
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from mmsigma.io import decoder_process
from mmsigma.io.decoder_process import GuardedVideoFile, stop_decoder
from mmsigma.io.video_file import UnreadableVideoError, VideoFile
from tests.io.odd_videos import write


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    """Every test has a decoder of its own."""
    stop_decoder()
    decoder_process._companion.banned.clear()
    yield
    stop_decoder()
    decoder_process._companion.banned.clear()


def kill() -> None:
    process = decoder_process._companion.process
    assert process is not None
    os.kill(process.pid, signal.SIGSEGV)
    process.wait()


def test_same_frames_and_facts(tmp_path: Path) -> None:
    path = write(tmp_path / 'a.mp4')
    with VideoFile(path) as plain, GuardedVideoFile(path) as guarded:
        assert (len(guarded), guarded.fps, guarded.is_plain) == (len(plain), plain.fps, plain.is_plain)
        np.testing.assert_array_equal(guarded.times(), plain.times())
        numbers = [30, 3, 30, 0]
        np.testing.assert_array_equal(guarded.read(numbers), plain.read(numbers))
        np.testing.assert_array_equal(list(guarded), list(plain))
        with pytest.raises(IndexError, match='a.mp4 has frames 0 to 39'):
            guarded.read([40])
        assert guarded.read([]) == []


def test_frames_are_the_callers_own(tmp_path: Path) -> None:
    video = GuardedVideoFile(write(tmp_path / 'a.mp4'))
    first = video.read([0])[0]
    before = first.copy()
    video.read([20, 21])
    np.testing.assert_array_equal(first, before)
    first[:] = 0
    np.testing.assert_array_equal(video.read([0])[0], before)


def test_two_files_at_once(tmp_path: Path) -> None:
    paths = [write(tmp_path / f'{size}.mp4', 30, size=(size, size)) for size in (32, 48)]
    one, other = map(GuardedVideoFile, paths)
    for first, second in zip(one, other, strict=True):
        assert first.shape == (32, 32, 3) and second.shape == (48, 48, 3)


def test_threads_take_turns(tmp_path: Path) -> None:
    """Threads that read at once get the frames of their own videos, whatever the others do."""
    paths = [write(tmp_path / f'{size}.mp4', 40, size=(size, size)) for size in (32, 48, 64)]
    expected = []
    for path in paths:
        with VideoFile(path) as video:
            expected.append(list(video))

    def read(number: int) -> bool:
        path, frames = paths[number % 3], expected[number % 3]
        for start in range(4):
            with GuardedVideoFile(path) as video:
                assert len(video) == 40
                np.testing.assert_array_equal(video.read([start, 39 - start]), [frames[start], frames[39 - start]])
                np.testing.assert_array_equal(list(video), frames)
        return True

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(read, range(6)))


def test_frames_go_on_after_a_crash_by_another_file(tmp_path: Path) -> None:
    good, bad = (write(tmp_path / name) for name in ('good.mp4', 'bad.mp4'))
    with VideoFile(good) as plain:
        expected = list(plain)
    frames, victim = iter(GuardedVideoFile(good)), GuardedVideoFile(bad)
    found = [next(frames) for _ in range(20)]
    kill()
    with pytest.raises(UnreadableVideoError):
        victim.read([0])
    np.testing.assert_array_equal([*found, *frames], expected)


def test_an_interruption_leaves_no_answer_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As by Ctrl+C in a notebook: the next question gets its own answer."""
    video = GuardedVideoFile(write(tmp_path / 'a.mp4'))
    expected = video.read([7])[0]

    def interrupted(timeout: float) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(decoder_process._companion.connection, 'poll', interrupted)
    with pytest.raises(KeyboardInterrupt):
        video.read([30])
    np.testing.assert_array_equal(video.read([7])[0], expected)


def test_a_crash_names_the_file_and_bans_it(tmp_path: Path) -> None:
    good, bad = (write(tmp_path / name) for name in ('good.mp4', 'bad.mp4'))
    reader = GuardedVideoFile(good)
    expected = reader.read([5])[0]
    victim = GuardedVideoFile(bad)
    kill()
    with pytest.raises(UnreadableVideoError, match=r'bad.mp4 cannot be read: the decoder crashed on it \(signal 11\)'):
        victim.read([0])
    with pytest.raises(UnreadableVideoError, match='bad.mp4 cannot be read: the decoder crashed on it'):
        GuardedVideoFile(bad)  # not tried again
    np.testing.assert_array_equal(reader.read([5])[0], expected)
    np.testing.assert_array_equal(reader.read([5])[0], GuardedVideoFile(good).read([5])[0])


def test_a_decoder_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / 'a.mp4')
    video = GuardedVideoFile(path)
    monkeypatch.setattr(decoder_process, 'TIMEOUT', 0.3)
    process = decoder_process._companion.process
    assert process is not None
    os.kill(process.pid, signal.SIGSTOP)
    begin = time.perf_counter()
    with pytest.raises(UnreadableVideoError, match='decoding does not end: no answer within 0.3 s'):
        video.read([0])
    assert time.perf_counter() - begin < 5
    assert process.poll() is not None, 'it is left behind'


def test_errors_are_those_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match='no video at .*missing.mp4'):
        GuardedVideoFile(tmp_path / 'missing.mp4')
    (tmp_path / 'text.mp4').write_text('no video')
    with pytest.raises(UnreadableVideoError, match='text.mp4 cannot be read: Invalid data'):
        GuardedVideoFile(tmp_path / 'text.mp4')
    assert not decoder_process._companion.banned


def read_in_a_fork(path: Path, queue: 'multiprocessing.Queue[object]') -> None:
    queue.put((GuardedVideoFile(path).read([3])[0].mean(), decoder_process._companion.process.pid))


def test_a_fork_has_a_decoder_of_its_own(tmp_path: Path) -> None:
    path = write(tmp_path / 'a.mp4')
    ours = GuardedVideoFile(path)
    mean = ours.read([3])[0].mean()
    gc.collect()  # decoders of other tests: their threads, which a fork has not, would be waited for in there
    context = multiprocessing.get_context('fork')
    queue = context.Queue()
    child = context.Process(target=read_in_a_fork, args=(path, queue))
    child.start()
    found, number = queue.get(timeout=30)
    child.join(30)
    assert found == mean and number != decoder_process._companion.process.pid
    assert ours.read([3])[0].mean() == mean
    time.sleep(0.5)
    status = Path(f'/proc/{number}/stat')
    assert not status.exists() or status.read_text().split()[2] == 'Z', 'the decoder of a process that is gone is left'


def test_relative_paths_outlive_a_change_of_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / 'a.mp4', 3)
    GuardedVideoFile(tmp_path / 'a.mp4')  # the decoder process has started, elsewhere
    monkeypatch.chdir(tmp_path)
    assert len(GuardedVideoFile('a.mp4')) == 3
