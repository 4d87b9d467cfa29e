"""Masks of files and arrays: ids, void, and their reduction."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mmsigma.apis.given_masks import load_masks, reduce_mask
from mmsigma.io.masks import write_mask
from tests.vos_data import draw_video


def test_ids_of_black_and_white_masks_are_free() -> None:
    mask, two = np.zeros((8, 9), bool), np.full((8, 9), 2, np.uint8)
    mask[2:5] = True
    found = load_masks({5: two, 3: mask, 0: mask, 7: mask})
    assert {number: int(ids.max()) for number, ids in found.items()} == {0: 1, 3: 3, 5: 2, 7: 4}
    assert all(ids.dtype == np.uint8 for ids in found.values())


def test_void_beside_objects_is_named(tmp_path: Path, warnings_logged: list[str]) -> None:
    mask = draw_video(1, num_objects=2)[1][0]
    load_masks({0: mask})
    assert not warnings_logged
    mask[mask == 2] = 255
    write_mask(tmp_path / 'void.png', mask)
    load_masks({0: tmp_path / 'void.png'})
    (message,) = warnings_logged
    assert 'void.png: 120 pixels have the value 255, which is void and no object' in message


def test_masks_of_other_packages() -> None:
    ids = np.array([[0, 1], [2, 0]], np.uint8)
    palette = Image.fromarray(ids, 'P')
    for mask in (torch.from_numpy(ids), Image.fromarray(ids), palette):
        np.testing.assert_array_equal(load_masks({0: mask})[0], ids)
    with pytest.raises(TypeError, match=r'a mask is a file or an array \(H, W\) of ids, got NoneType'):
        load_masks({0: None})


def test_reduced_masks() -> None:
    mask = np.zeros((40, 60), np.uint8)
    mask[4:20, 8:40], mask[30:34, 0:60] = 1, 2
    np.testing.assert_array_equal(reduce_mask(mask, (40, 60), (20, 30)), mask[1::2, 1::2])
    mask[39, 59] = 7
    with pytest.raises(ValueError, match='object 7 has 1 pixels, none of which is left in frames of 15 x 10'):
        reduce_mask(mask, (40, 60), (10, 15))
    with pytest.raises(ValueError, match='the mask is 40 x 60, the frame 60 x 40'):
        reduce_mask(mask, (60, 40), (10, 15))
