"""Resizing of label maps by either convention."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from mmsigma.ops.resizing import resize_labels
from tests.davis import read_davis_mask, requires_davis


def by_pillow(labels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return np.asarray(Image.fromarray(labels).resize(size[::-1], Image.Resampling.NEAREST))


@requires_davis
@pytest.mark.parametrize('size', [(224, 224), (30, 52), (60, 104), (32, 57), (480, 832), (720, 1281), (28, 28)])
@pytest.mark.parametrize('video', ['blackswan', 'libby', 'dog'])
def test_centres_of_real_masks_are_those_of_pillow(video: str, size: tuple[int, int]) -> None:
    mask = read_davis_mask(video, 0)
    assert mask.shape == (480, 854) and mask.any()
    np.testing.assert_array_equal(resize_labels(mask, size), by_pillow(mask, size))
    one_hot = torch.stack([torch.from_numpy(mask == 0), torch.from_numpy(mask == 1)])
    assert torch.equal(resize_labels(one_hot, size)[1], torch.from_numpy(by_pillow(mask, size) == 1))


def test_all_lengths_are_those_of_pillow_where_centres_lie_on_borders_too() -> None:
    rng = np.random.default_rng(0)
    ties = 0
    for old, new in rng.integers(1, 1300, (400, 2)).tolist() + [(480, 28), (854, 107), (7, 21), (28, 224), (720, 160)]:
        line = np.arange(old, dtype=np.int32)[None]
        np.testing.assert_array_equal(resize_labels(line, (1, new)), by_pillow(line, (1, new)), f'{old} to {new}')
        ties += bool(((2 * np.arange(new) + 1) * old % (2 * new) == 0).any())
    assert ties > 40


def test_corners_are_those_of_torch() -> None:
    labels = torch.from_numpy(np.random.default_rng(1).integers(0, 5, (2, 3, 224, 160), dtype=np.uint8))
    for size in ((28, 20), (28, 28), (448, 400)):
        expected = F.interpolate(labels, size=size, mode='nearest')
        assert torch.equal(resize_labels(labels, size, 'corner'), expected)
        np.testing.assert_array_equal(resize_labels(labels.numpy(), size, 'corner'), expected)


def test_an_object_stays_where_it_is_in_the_image() -> None:
    labels = np.zeros((64, 96), np.uint8)
    labels[16:48, 32:80] = 1
    image = torch.from_numpy(labels).float()[None, None]
    for size in ((8, 12), (20, 30), (160, 240)):
        resized = F.interpolate(image, size=size, mode='bilinear', align_corners=False)[0, 0]
        rows, columns = np.nonzero(resize_labels(labels, size))
        centre = [(side * (resized.sum(1 - axis) / resized.sum())).sum() for axis, side in places(size)]
        assert abs(rows.mean() - float(centre[0])) < 0.1 and abs(columns.mean() - float(centre[1])) < 0.1


def places(size: tuple[int, int]) -> list[tuple[int, torch.Tensor]]:
    return [(axis, torch.arange(length, dtype=torch.float32)) for axis, length in enumerate(size)]


def test_refuses_what_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="sample must be one of \\('centre', 'corner'\\) and lengths positive"):
        resize_labels(np.zeros((4, 4), np.uint8), (2, 2), 'middle')
    with pytest.raises(ValueError, match='lengths positive'):
        resize_labels(np.zeros((4, 4), np.uint8), (0, 2))
