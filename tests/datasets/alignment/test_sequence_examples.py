"""Videos unpacked from records: each once, whole, under a name of its own."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from mmsigma.datasets.alignment.sequence_examples import unpack_videos, write_phases
from tests.tensorflow_files import sequence_example, write_records


def picture(level: int, suffix: str = '.png') -> bytes:
    return cv2.imencode(suffix, np.full((4, 6, 3), level, np.uint8))[1].tobytes()


def record(name: str = '', pictures: int = 2, **lists: list) -> bytes:
    context = dict(name=[name.encode()]) if name else dict(len=[pictures])
    return sequence_example(context, dict(video=[[picture(level)] for level in range(pictures)], **lists))


def unpack(folder: Path, *records: bytes, seen: dict[str, str] | None = None, **options: str) -> list[tuple]:
    path = write_records(folder / 'source' / 'x.tfrecord', records)
    return list(unpack_videos(path, folder / 'frames', {} if seen is None else seen, **options))


def test_images_are_written_as_they_are(tmp_path: Path) -> None:
    pictures = [picture(1), picture(2, '.jpg'), picture(3)]
    example = sequence_example(dict(name=[b'a']), dict(video=[[one] for one in pictures], frame_labels=[[0], [2], [4]]))
    ((name, num_frames, phases),) = unpack(tmp_path, example)
    assert (name, num_frames, phases.tolist(), phases.dtype) == ('a', 3, [0, 2, 4], np.int64)
    files = sorted((tmp_path / 'frames' / 'a').iterdir())
    assert [path.name for path in files] == ['000001.png', '000002.jpg', '000003.png']
    assert [path.read_bytes() for path in files] == pictures
    assert [path.name for path in (tmp_path / 'frames').iterdir()] == ['a']  # no temporary folder is left


def test_names_are_safe_and_prefixed(tmp_path: Path) -> None:
    videos = unpack(tmp_path, record('../a b/é'), record(), record('.hidden'), prefix='p_', nameless='n')
    assert [name for name, *_ in videos] == ['p_a_b_é', 'p_n1', 'p_hidden']
    assert sorted(path.name for path in (tmp_path / 'frames').iterdir()) == ['p_a_b_é', 'p_hidden', 'p_n1']
    assert [phases for *_, phases in videos] == [None] * 3


def test_whole_folders_are_left_alone_and_others_made_anew(tmp_path: Path) -> None:
    unpack(tmp_path, record('a'))
    first, second = sorted((tmp_path / 'frames' / 'a').iterdir())
    first.write_bytes(b'kept')
    unpack(tmp_path, record('a'))
    assert first.read_bytes() == b'kept'
    second.unlink()  # of an interrupted run
    unpack(tmp_path, record('a'))
    assert first.read_bytes() == picture(0) and second.read_bytes() == picture(1)


def test_names_are_unique_over_all_files(tmp_path: Path) -> None:
    seen: dict[str, str] = {}
    unpack(tmp_path, record('a'), seen=seen)
    assert list(unpack(tmp_path, record('a'), seen=seen))  # the same file again
    other = write_records(tmp_path / 'source' / 'y.tfrecord', [record('b'), record('a')])
    with pytest.raises(
        ValueError, match=r'y\.tfrecord, record 1: the name a is already that of .*x\.tfrecord, record 0: leave out one'
    ):
        list(unpack_videos(other, tmp_path / 'frames', seen))


@pytest.mark.parametrize(
    ('lists', 'message'),
    [
        (dict(frames=[[b'']]), 'it has no list "video", only .*frames'),
        (dict(video=[[picture(0)], [b'GIF89a']]), 'frames are not JPEG or PNG images'),
        (dict(video=[]), 'frames are not JPEG or PNG images'),
        (dict(video=[[picture(0)]], frame_labels=[[0], [1]]), '1 frames and 2 labels'),
    ],
)
def test_records_of_another_form(lists: dict, message: str, tmp_path: Path) -> None:
    example = sequence_example(dict(name=[b'a']), lists)
    with pytest.raises(ValueError, match=rf'x\.tfrecord, record 1 is not a video in the format of TCC: {message}'):
        unpack(tmp_path, record('b'), example)
    assert not (tmp_path / 'frames' / 'a').exists()


def test_phases_are_read_back(tmp_path: Path) -> None:
    write_phases(tmp_path / 'phases' / 'a.npy', np.array([0, 1, 1], np.uint8))
    phases = np.load(tmp_path / 'phases' / 'a.npy')
    assert phases.dtype == np.int64 and phases.tolist() == [0, 1, 1]
    assert [path.name for path in (tmp_path / 'phases').iterdir()] == ['a.npy']
