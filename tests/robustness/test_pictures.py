"""Damaged and odd pictures: right, or a ValueError that names the file."""

import os
import warnings
from io import BytesIO
from pathlib import Path
from zlib import crc32

import cv2
import numpy as np
import pytest
from PIL import Image

from mmsigma.datasets.transforms import ReadImageClip, UnreadableVideoError
from mmsigma.io.decoders import FolderReader
from mmsigma.io.pictures import list_pictures, read_picture
from tests.robustness.damage import DAMAGES
from tests.robustness.numbered import number_of, numbered

SIZE = (48, 64)
KINDS = {
    'a.jpg': {},
    'progressive.jpg': {'progressive': True},
    'a.png': {},
    'a.bmp': {},
    'a.webp': {'lossless': True},
    'lossy.webp': {},
}


def encoded(name: str, picture: np.ndarray | None = None, mode: str = 'RGB') -> bytes:
    file = BytesIO()
    image = Image.fromarray(numbered(5, SIZE) if picture is None else picture).convert(mode)
    image.save(file, format={'jpg': 'JPEG'}.get(name[-3:], name.rpartition('.')[2]), **KINDS.get(name, {}))
    return file.getvalue()


@pytest.mark.parametrize('name', KINDS)
def test_damaged(tmp_path: Path, name: str) -> None:
    """What is cut off is noticed; formats with checksums, or a size that tells, are right or refused."""
    path, whole = tmp_path / name, encoded(name)
    path.write_bytes(whole)
    truth = read_picture(path)
    assert number_of(truth) == 5
    for damage, apply in DAMAGES.items():
        path.write_bytes(apply(bytearray(whole), np.random.default_rng(crc32(f'{name} {damage}'.encode()))))
        try:
            found = read_picture(path)
        except ValueError as error:
            assert str(path) in str(error) and damage != 'more'
            continue
        assert not damage.startswith('cut'), damage
        if name == 'a.png' or damage == 'more':
            np.testing.assert_array_equal(found, truth, err_msg=damage)


@pytest.mark.parametrize('mode', ['L', 'LA', 'P', '1', 'RGBA', 'I;16'])
def test_modes_of_png(tmp_path: Path, mode: str) -> None:
    picture = numbered(5, SIZE)
    if mode == 'I;16':
        image = Image.fromarray(picture[..., 0].astype(np.uint16) * 257)
    else:
        image = Image.fromarray(picture).convert(mode)
    image.save(tmp_path / 'a.png')
    found = read_picture(tmp_path / 'a.png')
    assert found.shape == (*SIZE, 3) and found.dtype == np.uint8 and number_of(found) == 5


@pytest.mark.parametrize('mode', ['L', 'CMYK'])
def test_modes_of_jpeg(tmp_path: Path, mode: str) -> None:
    (tmp_path / 'a.jpg').write_bytes(encoded('a.jpg', mode=mode))
    assert number_of(read_picture(tmp_path / 'a.jpg')) == 5


@pytest.mark.parametrize('suffix', ['png', 'webp'])
def test_of_animations_the_first_picture_is_taken(tmp_path: Path, suffix: str) -> None:
    first, *others = (Image.fromarray(numbered(number, SIZE)) for number in (5, 6, 7))
    first.save(tmp_path / f'a.{suffix}', save_all=True, append_images=others)
    assert number_of(read_picture(tmp_path / f'a.{suffix}')) == 5


@pytest.mark.parametrize(
    'data',
    [b'', b'\0', b'\xff\xd8', b'\x89PNG\r\n\x1a\n', b'BM', b'RIFF\0\0\0\0WEBP', b'<html>404</html>', bytes(9999)],
)
@pytest.mark.parametrize('suffix', ['jpg', 'png', 'webp', 'bmp'])
def test_what_is_no_picture(tmp_path: Path, data: bytes, suffix: str) -> None:
    path = tmp_path / f'a.{suffix}'
    path.write_bytes(data)
    with pytest.raises(ValueError, match=rf'a\.{suffix} cannot be read as an image'):
        read_picture(path)
    with pytest.raises(UnreadableVideoError, match=rf'a\.{suffix}'):
        FolderReader(tmp_path).read([0])
    with pytest.raises(UnreadableVideoError, match=rf'a\.{suffix}'):
        ReadImageClip(num_frames=2)(dict(filename=str(path)))


def test_huge_sizes_take_no_memory(tmp_path: Path) -> None:
    data = bytearray(encoded('a.png'))
    data[16:24] = (2**31 - 1).to_bytes(4, 'big') * 2
    data[29:33] = crc32(data[12:29]).to_bytes(4, 'big')
    (tmp_path / 'a.png').write_bytes(data)
    with warnings.catch_warnings(), pytest.raises(ValueError, match=r'a\.png cannot be read as an image'):
        read_picture(tmp_path / 'a.png')


def test_what_is_beside_the_frames(tmp_path: Path) -> None:
    for number in (2, 10, 1):
        (tmp_path / f'{number}.jpg').write_bytes(encoded('a.jpg', numbered(number, SIZE)))
    for name in ('._1.jpg', '.DS_Store', 'Thumbs.db', 'desktop.ini', '.3.jpg', 'notes.txt'):
        (tmp_path / name).write_bytes(b'\0')
    (tmp_path / '@eaDir').mkdir()
    reader = FolderReader(tmp_path)
    assert [number_of(frame) for frame in reader.read([0, 1, 2])] == [1, 2, 10]


def test_folders_and_pipes_of_that_name(tmp_path: Path) -> None:
    (tmp_path / '1.jpg').write_bytes(encoded('a.jpg'))
    (tmp_path / '2.jpg').mkdir()
    os.mkfifo(tmp_path / '3.jpg')
    (tmp_path / '4.jpg').symlink_to('4.jpg')
    assert [path.name for path in list_pictures(tmp_path)] == ['1.jpg', '3.jpg', '4.jpg']
    for name in ('2.jpg', '3.jpg', '4.jpg'):
        with pytest.raises(ValueError, match=rf'{name} cannot be read as an image: .'):
            read_picture(tmp_path / name)


def test_clips_of_pictures_with_odd_names(tmp_path: Path) -> None:
    path = os.fsdecode(bytes(tmp_path) + b'/\xe9t\xe9.png')
    Path(path).write_bytes(encoded('a.png'))
    sample = ReadImageClip(num_frames=2)(dict(filename=path))
    assert [number_of(frame) for frame in sample['imgs']] == [5, 5]
    assert cv2.imdecode(np.frombuffer(encoded('a.png'), np.uint8), cv2.IMREAD_COLOR) is not None
