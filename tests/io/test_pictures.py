"""Images as files: order, kinds, and files that are cut off."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmsigma.io.pictures import list_pictures, read_picture

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
