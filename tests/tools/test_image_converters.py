"""Converters of datasets of images, on small look-alikes."""

import pickle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from mmsigma.datasets import VideoDataset
from mmsigma.datasets.transforms import ReadImageClip
from tests.tools.converting import lines, read, write


def image(path: Path, colour: tuple[int, int, int]) -> None:
    write(path, cv2.imencode('.png', np.full((40, 30, 3), colour[::-1], np.uint8))[1].tobytes())


@pytest.fixture
def imagenet(tmp_path: Path) -> Path:
    for label, name in enumerate(('n01440764', 'n02119789', 'n03000684')):
        for number in range(2):
            image(tmp_path / 'train' / name / f'{name}_{number}.JPEG', (label, number, 9))
    return tmp_path


def test_imagenet_with_folders(imagenet: Path, convert) -> None:
    image(imagenet / 'val' / 'n02119789' / 'ILSVRC2012_val_00000001.JPEG', (7, 8, 9))
    result = convert('imagenet')
    assert result.status == 0, result.errors
    assert [label for _, label in read(imagenet, 'train')] == [0, 0, 1, 1, 2, 2]
    assert 'train: 6 files, 3 classes; the annotation lists 6, published are 1,281,167' in result.output
    dataset = VideoDataset(
        [ReadImageClip(num_frames=4)], 'val.txt', data_root=str(imagenet), data_prefix=dict(video=''), test_mode=True
    )
    sample = dataset[0]
    assert sample['label'] == 1 and len(sample['imgs']) == 4 and sample['imgs'][3][5, 6].tolist() == [7, 8, 9]
    (imagenet / 'val' / 'n09999999').mkdir()
    assert 'n09999999' in convert('imagenet').errors


KAGGLE = 'ImageId,PredictionString\nILSVRC2012_val_00000002,n03000684 1 2 3 4 n03000684 5 6 7 8\n'


@pytest.mark.parametrize(
    ('file', 'content'),
    [
        ('LOC_val_solution.csv', KAGGLE + 'ILSVRC2012_val_00000001,n01440764 1 2 3 4\n'),
        ('val.txt', 'ILSVRC2012_val_00000002.JPEG 2\nILSVRC2012_val_00000001.JPEG 0\n'),
        ('ILSVRC2012_validation_ground_truth.txt', '3\n1\n'),
    ],
)
def test_imagenet_with_a_file_of_labels(imagenet: Path, convert, file: str, content: str) -> None:
    synsets = np.array(
        [(1, 'n03000684'), (2, 'n02119789'), (3, 'n01440764')], dtype=[('ILSVRC2012_ID', 'O'), ('WNID', 'O')]
    )
    (imagenet / 'kit').mkdir()
    savemat(imagenet / 'kit' / 'meta.mat', {'synsets': synsets})
    for number in (1, 2):
        image(imagenet / 'val' / f'ILSVRC2012_val_0000000{number}.JPEG', (1, 2, 3))
    source = write(imagenet / 'kit' / file, content)
    result = convert('imagenet', '--val-labels', source)
    assert result.status == 0, result.errors
    assert dict(read(imagenet, 'val')) == {
        'val/ILSVRC2012_val_00000001.JPEG': 0,
        'val/ILSVRC2012_val_00000002.JPEG': 2,
    }
    assert lines(imagenet / 'classes.txt') == ['n01440764', 'n02119789', 'n03000684']
    (imagenet / 'val' / 'ILSVRC2012_val_00000002.JPEG').unlink()
    fewer = convert('imagenet', '--val-labels', source, '--strict')
    assert fewer.status == 1


def test_imagenet_errors(imagenet: Path, convert) -> None:
    image(imagenet / 'val' / 'ILSVRC2012_val_00000001.JPEG', (1, 2, 3))
    assert '--val-labels' in convert('imagenet').errors
    numbers = write(imagenet / 'kit' / 'numbers.txt', '3\n')
    assert 'meta.mat' in convert('imagenet', '--val-labels', numbers).errors
    other = write(imagenet / 'kit' / 'other.txt', 'a 1\nb n01440764x\n')
    assert 'other.txt, line 2' in convert('imagenet', '--val-labels', other).errors
    first = write(imagenet / 'kit' / 'first.txt', 'ILSVRC2012_val_00000001.JPEG n0144\n')  # no title of a table
    assert 'first.txt, line 1' in convert('imagenet', '--val-labels', first).errors


@pytest.fixture
def cifar100(tmp_path: Path) -> Path:
    folder = tmp_path / 'cifar-100-python'
    pixels = np.random.default_rng(0).integers(0, 256, (3, 3072), np.uint8)
    for part, labels in (('train', [99, 0, 7]), ('test', [1, 2, 3])):
        content = {b'data': pixels, b'fine_labels': labels, b'coarse_labels': [0, 0, 0], b'filenames': [b'x.png'] * 3}
        write(folder / part, pickle.dumps(content, protocol=2))
    names = [f'class {label}'.encode() for label in range(100)]
    write(folder / 'meta', pickle.dumps({b'fine_label_names': names}, protocol=2))
    return tmp_path


def test_cifar100(cifar100: Path, convert) -> None:
    result = convert('cifar100')
    assert result.status == 0, result.errors
    assert read(cifar100, 'train') == [('train/00000.png', 99), ('train/00001.png', 0), ('train/00002.png', 7)]
    assert 'test: 3 files, 3 classes; the annotation lists 3, published are 10,000' in result.output
    assert lines(cifar100 / 'classes.txt')[99] == 'class 99'
    pixels = np.random.default_rng(0).integers(0, 256, (3, 3072), np.uint8)
    dataset = VideoDataset(
        [ReadImageClip(num_frames=2)], 'test.txt', data_root=str(cifar100), data_prefix=dict(video=''), test_mode=True
    )
    frame = dataset[1]['imgs'][1]
    assert np.array_equal(frame.transpose(2, 0, 1).reshape(-1), pixels[1])


class Evil:
    def __reduce__(self) -> tuple:
        return print, ('executed',)


@pytest.mark.parametrize('content', [{b'data': Evil(), b'fine_labels': []}, {b'data': np.zeros((1, 3072))}, [], None])
def test_cifar100_runs_no_code_and_names_the_file(cifar100: Path, convert, content: Any) -> None:
    write(cifar100 / 'cifar-100-python' / 'train', pickle.dumps(content) if content is not None else b'')
    result = convert('cifar100')
    assert result.status == 1 and 'cifar-100-python/train' in result.errors and 'executed' not in result.output


def test_cifar100_with_arrays_of_another_shape(cifar100: Path, convert) -> None:
    content = {b'data': np.zeros((1, 3071), np.uint8), b'fine_labels': [0]}
    write(cifar100 / 'cifar-100-python' / 'train', pickle.dumps(content))
    assert 'expected 1 rows of 3,072 bytes, got (1, 3071)' in convert('cifar100').errors
