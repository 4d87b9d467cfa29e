"""Images as files: order, kinds, and files that are cut off."""

import os
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmsigma.datasets.transforms import UnreadableVideoError
from mmsigma.io.decoders import FolderReader
from mmsigma.io.pictures import list_frames, list_pictures, read_picture
from mmsigma.io.video import FrameReader, read_frames

SUFFIXES = ('.jpg', '.png', '.webp', '.bmp')


def noise(seed: int = 0) -> np.ndarray:
    smooth = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), np.uint8)
    return cv2.resize(smooth, (64, 48), interpolation=cv2.INTER_CUBIC)


def encoded(suffix: str, picture: np.ndarray) -> bytes:
    return cv2.imencode(suffix, picture[..., ::-1])[1].tobytes()


@pytest.mark.parametrize('suffix', SUFFIXES)
def test_kinds(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f'a{suffix}'
    path.write_bytes(encoded(suffix, noise()))
    difference = np.abs(read_picture(path).astype(int) - noise())
    assert difference.max() <= (0 if suffix in ('.png', '.bmp') else 60) and difference.mean() < 6
    assert list_pictures(tmp_path) == [path]


@pytest.mark.parametrize('suffix', SUFFIXES)
def test_every_cut_is_noticed(tmp_path: Path, suffix: str) -> None:
    data, path = encoded(suffix, noise()), tmp_path / f'a{suffix}'
    for length in [0, 1, 2, *np.linspace(3, len(data) - 3, 20).astype(int).tolist(), len(data) - 2]:
        path.write_bytes(data[:length])
        with pytest.raises(ValueError, match=rf'a{suffix} cannot be read as an image'):
            read_picture(path)


def test_what_follows_a_jpeg_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / 'a.jpg'
    path.write_bytes(encoded('.jpg', noise()) + b'\0' * 100 + b'maker notes')
    assert read_picture(path).shape == (48, 64, 3)


def test_names_that_are_not_utf_8(tmp_path: Path) -> None:
    folder = bytes(tmp_path) + b'/\xe9t\xe9.png'
    with open(folder, 'wb') as file:
        file.write(encoded('.png', noise()))
    (path,) = list_pictures(tmp_path)
    np.testing.assert_array_equal(read_picture(path), noise())


def test_hidden_files_are_no_pictures(tmp_path: Path) -> None:
    for name in ('._00000.jpg', '.00001.png', '00002.jpg'):
        (tmp_path / name).write_bytes(encoded('.jpg', noise()))
    (tmp_path / 'Thumbs.db').write_bytes(b'x')
    assert [path.name for path in list_pictures(tmp_path)] == ['00002.jpg']


def test_what_follows_a_png_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / 'a.png'
    path.write_bytes(encoded('.png', noise()) + b'maker notes' * 100)
    np.testing.assert_array_equal(read_picture(path), noise())


def test_pipes_folders_and_links_to_nowhere(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / '1.png')
    (tmp_path / '2.png').mkdir()
    (tmp_path / '3.png').symlink_to('3.png')
    assert [path.name for path in list_pictures(tmp_path)] == ['1.png', '3.png']
    for name in ('1.png', '2.png'):
        with pytest.raises(ValueError, match=f'{name} cannot be read as an image: it is a folder, pipe or device'):
            read_picture(tmp_path / name)
    with pytest.raises(ValueError, match=r'3\.png cannot be read as an image: Too many levels of symbolic links'):
        read_picture(tmp_path / '3.png')


def folder_of(folder: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        (folder / name).write_bytes(encoded(Path(name).suffix, noise(number)))
    return folder


@pytest.mark.parametrize(
    ('names', 'message'),
    [
        (
            ('img_1.jpg', 'img_2.jpg', 'flow_x_1.jpg'),
            r'2 kinds, flow_x_#.jpg \(flow_x_1.jpg\), img_#.jpg \(img_1.jpg\)',
        ),
        (('1.jpg', '2.jpg', '2_mask.png'), r'2 kinds, #.jpg \(1.jpg\), #_mask.png \(2_mask.png\)'),
        (('1.jpg', 'thumbnail.jpg'), r'2 kinds, #.jpg \(1.jpg\), thumbnail.jpg'),
        (('1.jpg', '2.png'), r'2 kinds, #.jpg \(1.jpg\), #.png \(2.png\)'),
        (('1.jpg', '01.jpg', '2.jpg'), 'has both 1.jpg and 01.jpg|has both 01.jpg and 1.jpg'),
        (('0.5.jpg', '0.25.jpg', '0.125.jpg'), r'has both 0.5.jpg and 0.25.jpg, whose order is not clear'),
        (('t_9.5.jpg', 't_10.25.jpg'), r'has both t_9.5.jpg and t_10.25.jpg, whose order is not clear'),
    ],
)
def test_folders_that_are_not_one_video_are_refused(tmp_path: Path, names: tuple[str, ...], message: str) -> None:
    folder = folder_of(tmp_path, *names)
    for read in (list_frames, FolderReader, FrameReader, read_frames):
        with pytest.raises(ValueError, match=message) as error:
            read(folder)
        assert str(folder) in str(error.value)
    assert len(list_pictures(folder)) == len(names)


@pytest.mark.parametrize(
    'names',
    [
        ['1.jpg', '2.jpg', '10.jpg'],
        ['img_00001.JPG', 'img_00002.jpg'],
        ['0.50.jpg', '0.75.jpg', '1.25.jpg', '10.00.jpg'],
        ['a.mp4.1.jpg', 'a.mp4.10.jpg'],
        ['s1_t2.png', 's1_t10.png', 's2_t1.png'],
        ['only.png'],
    ],
)
def test_folders_of_frames(tmp_path: Path, names: list[str]) -> None:
    assert [path.name for path in list_frames(folder_of(tmp_path, *reversed(names)))] == names


@pytest.mark.parametrize('number', [-1, 3, 99])
def test_numbers_out_of_range(tmp_path: Path, number: int) -> None:
    folder = folder_of(tmp_path, '1.png', '2.png', '3.png')
    with pytest.raises(IndexError, match=rf'{tmp_path} has frames 0 to 2, but {number} to {number} are asked for'):
        read_frames(folder, [number])
    with pytest.raises(IndexError, match=rf'{tmp_path} has frames 0 to 2, but {number} is asked for'):
        FrameReader(folder).read(number)
    assert read_frames(folder, []).shape == (0, 0, 0, 3)


def test_sizes_beyond_the_limit_are_named(tmp_path: Path) -> None:
    data = bytearray(encoded('.png', noise()))
    data[16:24] = (100_000).to_bytes(4, 'big') * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, 'big')
    path = tmp_path / '1.png'
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r'1\.png cannot be read as an image: .*too large for OpenCV'):
        read_picture(path)
    with pytest.raises(UnreadableVideoError, match=r'1\.png cannot be read as an image'):
        read_frames(tmp_path)
