"""Faults of lists and masks are found before a run."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mmsigma.datasets import VideoDataset, VOSDataset
from mmsigma.datasets.run_checks import check_labels, check_masks
from mmsigma.datasets.videos.tolerant_dataset import TolerantDataset
from tests.vos_data import SIZE, make_davis


def listed(folder: Path, *labels: str, **settings: Any) -> VideoDataset:
    for number in range(len(labels)):
        (folder / f'{number}.mp4').touch()
    text = ''.join(f'{number}.mp4 {label}\n' for number, label in enumerate(labels))
    (folder / 'list.txt').write_text(text)
    return VideoDataset([], 'list.txt', data_root=str(folder), **settings)


def test_labels_out_of_range(tmp_path: Path) -> None:
    dataset = listed(tmp_path, '0', '9', '10', '300')
    check_labels(dataset, 301, 'val')
    check_labels(dataset, None, 'val')
    with pytest.raises(ValueError, match=r'2 of 4 videos of val .* for example .*3\.mp4 with 300: the model has 10 cl'):
        check_labels(TolerantDataset(dataset), 10, 'val')


def test_labels_that_are_missing(tmp_path: Path) -> None:
    dataset = listed(tmp_path, '0', '', '-1')
    with pytest.raises(ValueError, match=r'2 of 3 videos of val have no label, for example .*1\.mp4: write lists'):
        check_labels(dataset, None, 'val')
    check_labels(dataset, 10, 'val', required=False)
    with pytest.raises(ValueError, match='To label videos with a trained classifier, use "mmsigma predict"'):
        check_labels(dataset, None, 'test_dataloader')


def test_several_labels_out_of_range(tmp_path: Path) -> None:
    dataset = listed(tmp_path, '0', '1,4', '9,2', multi_class=True, num_classes=10)
    check_labels(dataset, 10, 'train')
    with pytest.raises(ValueError, match=r'1 of 3 videos of train .* for example .*2\.mp4 with 9: the model has 5 cl'):
        check_labels(dataset, 5, 'train')


def test_datasets_without_labels_are_left_alone() -> None:
    check_labels([1, 2, 3], 10, 'train')
    check_masks([1, 2, 3], 'train')


def test_black_and_white_is_not_void(tmp_path: Path) -> None:
    root = make_davis(tmp_path, dict(ant=3, bee=3))
    check_masks(VOSDataset('davis', str(root)), 'test')
    path = root / 'Annotations/480p/bee/00000.png'
    white = np.zeros(SIZE, np.uint8)
    white[5:9, 5:9] = 255
    assert cv2.imwrite(str(path), white)
    with pytest.raises(ValueError, match=r'test, bee: .*bee/00000.png is in black and white.* 255 .*year=2016'):
        check_masks(VOSDataset('davis', str(root)), 'test')
    plain = dict(frames='JPEGImages/480p', masks='Annotations/480p', binary=True)
    check_masks(VOSDataset('folders', str(root), **plain), 'test')


def test_other_faults_of_masks_are_named(tmp_path: Path, warnings_logged: list[str]) -> None:
    root = make_davis(tmp_path, dict(ant=3, bee=3))
    assert cv2.imwrite(str(root / 'Annotations/480p/ant/00000.png'), np.zeros(SIZE, np.uint8))
    (root / 'Annotations/480p/bee/00000.png').write_text('no image')
    check_masks(VOSDataset('davis', str(root)), 'test')
    assert 'test, ant: there is no object in' in warnings_logged[0]
    assert 'bee/00000.png cannot be read as a mask' in warnings_logged[1]
