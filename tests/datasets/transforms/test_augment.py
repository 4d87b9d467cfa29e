"""Sampling, views and augmentation of fine-tuning: parity with the release, ranges, and equality over frames."""

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from timm.data.auto_augment import rand_augment_transform

from mmsigma.datasets.transforms import (
    FlipClip,
    RandAugmentClip,
    RandomResizedCropClip,
    RepeatAugment,
)
from mmsigma.datasets.videos.collate import flatten_collate
from mmsigma.utils.seeding import seeded_numpy


def frames(number: int, height: int, width: int, seed: int = 0) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    return list(generator.integers(256, size=(number, height, width, 3), dtype=np.uint8))


def test_rand_augment_does_the_same_to_all_frames() -> None:
    image = cv2.GaussianBlur(frames(1, 40, 56)[0], (9, 9), 0)
    augment = RandAugmentClip(size=32)
    different = set()
    for seed in range(8):
        np.random.seed(seed)
        out = augment({'imgs': [image, image, image]})['imgs']
        assert all(np.array_equal(frame, out[0]) for frame in out) and out[0].shape == image.shape
        different.add(out[0].tobytes())
    assert len(different) == 8


def test_rand_augment_moves_pixels_with_the_interpolation_of_the_release() -> None:
    image = frames(1, 48, 64)[0]
    settings = dict(translate_const=100, interpolation=Image.Resampling.BICUBIC)
    official = rand_augment_transform('rand-m7-n4-mstd0.5-inc1', settings)
    moved = 0
    for seed in range(12):
        found = {}
        for name, transform in (('default', RandAugmentClip()), ('other', RandAugmentClip(interpolation='bilinear'))):
            np.random.seed(seed)
            found[name] = transform({'imgs': [image]})['imgs'][0]
        np.random.seed(seed)
        with seeded_numpy((int(np.random.randint(2**31)),)):
            expected = np.asarray(official(Image.fromarray(image)))
        np.testing.assert_array_equal(found['default'], expected)
        moved += not np.array_equal(found['default'], found['other'])
    assert moved >= 3
    with pytest.raises(ValueError, match="interpolation must be one of .*, got 'area'"):
        RandAugmentClip(interpolation='area')


def test_resized_crops_have_the_permitted_area_and_shape() -> None:
    crop = RandomResizedCropClip(32, scale=(0.25, 1.0), ratio=(3 / 4, 4 / 3))
    areas, ratios = [], []
    for _ in range(500):
        x, y, w, h = crop.draw_box(320, 240)
        assert x >= 0 and y >= 0 and x + w <= 320 and y + h <= 240
        areas.append(w * h / (320 * 240))
        ratios.append(w / h)
    assert 0.245 < min(areas) < 0.3 and 0.9 < max(areas) <= 1
    assert 0.74 < min(ratios) < 0.8 and 1.28 < max(ratios) < 1.35
    assert crop.draw_box(1000, 10)[2:] == (13, 10)  # nothing drawn fits
    results = crop({'imgs': frames(2, 24, 32)})
    assert results['imgs'].shape == (2, 32, 32, 3) and len(results['crop_box']) == 4


def test_aspect_ratios_are_width_by_height() -> None:
    crop = RandomResizedCropClip(32, scale=(0.1, 0.2), ratio=(1.5, 2.0))
    ratios = [w / h for _, _, w, h in (crop.draw_box(300, 300) for _ in range(200))]
    assert 1.47 < min(ratios) < 1.6 and 1.9 < max(ratios) < 2.03


def test_flip() -> None:
    images = frames(2, 4, 6)
    flipped = FlipClip(1.0)({'imgs': images})['imgs']
    np.testing.assert_array_equal(flipped[1], images[1][:, ::-1])
    assert FlipClip(0.0)({'imgs': images})['imgs'] is images
    flips = sum(not np.array_equal(FlipClip()({'imgs': images})['imgs'][0], images[0]) for _ in range(200))
    assert 70 < flips < 130


def test_repeated_augmentation_of_one_clip() -> None:
    repeat = RepeatAugment([dict(type='RandomResizedCropClip', size=16), dict(type='PackVideoInputs')], num_repeats=3)
    items = [repeat({'imgs': frames(2, 24, 32, seed), 'label': seed}) for seed in range(2)]
    batch = flatten_collate(items)
    assert [int(sample.gt_label) for sample in batch['data_samples']] == [0, 0, 0, 1, 1, 1]
    assert len(batch['inputs']) == 6 and not torch.equal(batch['inputs'][0], batch['inputs'][1])
