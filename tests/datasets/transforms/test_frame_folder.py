"""Videos that are folders of images."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from mmsigma.datasets.transforms import ReadClip, UnreadableVideoError
from mmsigma.datasets.transforms.frame_folder import FrameFolderDecode, FrameFolderInit


def picture(level: int, size: tuple[int, int] = (6, 8)) -> np.ndarray:
    """RGB, with another value in each channel."""
    return np.full((*size, 3), (level, level + 1, level + 2), np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Images 0 to 11, of levels 0, 10, ..., whose names are not padded."""
    for number in range(12):
        cv2.imwrite(str(tmp_path / f'img_{number}.png'), picture(10 * number)[..., ::-1])
    return tmp_path


def decode(folder: Path, *frames: int) -> dict:
    opened = FrameFolderInit()(dict(filename=str(folder)))
    return FrameFolderDecode()({**opened, 'frame_inds': np.array(frames)})


def test_images_in_the_order_of_their_numbers(folder: Path) -> None:
    results = FrameFolderInit()(dict(filename=str(folder)))
    assert [path.name for path in results['video_reader']] == [f'img_{number}.png' for number in range(12)]
    assert results['total_frames'] == 12


def test_frames_as_asked_for_in_rgb(folder: Path) -> None:
    results = decode(folder, 11, 2, 2, 0)
    np.testing.assert_array_equal(results['imgs'], [picture(level) for level in (110, 20, 20, 0)])
    assert results['img_shape'] == results['original_shape'] == (6, 8)


def test_each_image_is_read_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, names = cv2.imread, []
    monkeypatch.setattr(cv2, 'imread', lambda name, *flags: names.append(Path(name).name) or read(name, *flags))
    decode(folder, 3, 3, 1, 3)
    assert sorted(names) == ['img_1.png', 'img_3.png']


def test_clips_of_several_views(folder: Path) -> None:
    opened = FrameFolderInit()(dict(filename=str(folder)))
    results = FrameFolderDecode()({**opened, 'frame_inds': np.array([[0, 1], [4, 5]])})
    assert [frame[0, 0, 0] for frame in results['imgs']] == [0, 10, 40, 50]


def test_what_is_no_image(folder: Path) -> None:
    (folder / 'img_3.png').write_bytes(b'no image')
    with pytest.raises(ValueError, match=r'^img_3\.png is not an image$'):
        decode(folder, 2, 3)
    assert len(decode(folder, 2, 4)['imgs']) == 2  # only what is asked for is read


def test_images_of_unequal_size(folder: Path) -> None:
    cv2.imwrite(str(folder / 'img_5.png'), picture(0, (6, 10)))
    message = r'same size: img_1\.png is 8 x 6, img_5\.png 10 x 6'
    with pytest.raises(ValueError, match=message):
        decode(folder, 5, 1)
    sampling = dict(type='SampleDenseClip', clip_len=12, frame_interval=1)
    with pytest.raises(UnreadableVideoError, match=rf'{folder.name} cannot be read: all images of a video .* 10 x 6'):
        ReadClip(sampling, 'frames')(dict(filename=str(folder), start_index=0))
