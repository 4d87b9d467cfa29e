"""Parts of videos, and the processes that read them ahead."""

import multiprocessing
import os
import signal
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from mmsigma.engine.frame_reading import FrameResize, VideoPart, VideoParts, read_ahead
from mmsigma.io.video import write_mp4
from tests.vos_data import draw_video, write_frames

RESIZE = FrameResize(32, True, 8)


@pytest.fixture
def videos(tmp_path: Path) -> list[str]:
    """Folders of 7, 1 and 4 frames, one with a damaged frame, and one without any."""
    for name, length in dict(ant=7, bee=1, cow=4, dog=5).items():
        write_frames(tmp_path / name, draw_video(length)[0], [f'{number:03d}' for number in range(length)])
    (tmp_path / 'dog' / '003.png').write_bytes(b'no picture')
    (tmp_path / 'elk').mkdir()
    return [str(tmp_path / name) for name in ('ant', 'bee', 'cow', 'dog', 'elk')]


def outline(part: VideoPart) -> tuple[int, list[int], bool, str]:
    return part.video, part.frames.tolist(), part.is_last, part.reason


def test_parts_of_videos(videos: list[str]) -> None:
    assert [outline(part) for part in VideoParts(videos, 'frames', RESIZE, length=3)] == [
        (0, [0, 1, 2], False, ''),
        (0, [3, 4, 5], False, ''),
        (0, [6], True, ''),
        (1, [0], True, ''),
        (2, [0, 1, 2], False, ''),
        (2, [3], True, ''),
        (3, [0, 1, 2], False, ''),
        (3, [], True, '003.png cannot be read as an image'),
        (4, [], True, 'the folder has no images'),
    ]
    steps = VideoParts(videos[:1], 'frames', RESIZE, step=2, length=3)
    assert [outline(part)[1] for part in steps] == [[0, 2, 4], [6]]


def test_pictures_are_resized(videos: list[str]) -> None:
    (part,) = VideoParts(videos[2:3], 'frames', RESIZE)
    assert part.pictures.shape == (4, 32, 48, 3) and part.pictures.dtype == torch.uint8
    frames, _ = draw_video(4)  # of 36 x 52 pixels
    expected = [cv2.resize(frame, (48, 32), interpolation=cv2.INTER_LINEAR) for frame in frames]
    assert np.array_equal(part.pictures.numpy(), np.stack(expected))


@pytest.mark.parametrize(
    ('resize', 'expected'),
    [
        (FrameResize(256, False, 8), (256, 256)),
        (FrameResize(256, True, 8), (256, 456)),
        (FrameResize(480, True, 16), (480, 848)),
        (FrameResize(4, True, 8), (8, 8)),  # one cell at least
    ],
)
def test_sizes(resize: FrameResize, expected: tuple[int, int]) -> None:
    assert resize.target((480, 854)) == expected


def test_rate(tmp_path: Path) -> None:
    write_mp4(tmp_path / 'video.mp4', draw_video(11)[0], fps=24)
    (part,) = VideoParts([str(tmp_path / 'video.mp4')], 'auto', RESIZE, fps=8)
    assert part.frames.tolist() == [0, 3, 6, 9]


def test_workers_read_the_same_and_end(videos: list[str]) -> None:
    """They outlive signals meant for this process, and the random numbers of the training stay as they were."""
    parts, before = VideoParts(videos, 'frames', RESIZE, length=3), set(multiprocessing.active_children())
    alone = list(read_ahead(parts, 0))
    state = torch.get_rng_state()
    found, ready = [], set[int]()
    with closing(read_ahead(parts, 2)) as read:
        for part in read:
            found.append(part)
            # a server of forks that another test has started does not block signals until a worker ignores them
            first_of_second = len(ready) == 1 and part.video % 2 not in ready
            ready.add(part.video % 2)
            for worker in set(multiprocessing.active_children()) - before if first_of_second else ():
                for number in (signal.SIGINT, signal.SIGUSR1):
                    os.kill(worker.pid, number)
    assert ready == {0, 1}
    assert torch.equal(torch.get_rng_state(), state)
    found.sort(key=lambda part: part.video)  # stable: parts of a video stay in order
    assert [outline(part) for part in found] == [outline(part) for part in alone]
    assert all(torch.equal(one.pictures, other.pictures) for one, other in zip(found, alone, strict=True))
    assert set(multiprocessing.active_children()) == before


def test_workers_end_when_nothing_more_is_read(videos: list[str]) -> None:
    before = set(multiprocessing.active_children())
    with closing(read_ahead(VideoParts(videos, 'frames', RESIZE, length=1), 1)) as read:
        assert outline(next(read)) == (0, [0], False, '')
        assert len(set(multiprocessing.active_children()) - before) == 1
    assert set(multiprocessing.active_children()) == before
