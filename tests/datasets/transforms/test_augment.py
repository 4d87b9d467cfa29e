"""Sampling, views and augmentation of fine-tuning: parity with the release, ranges, and equality over frames."""

import cv2
import numpy as np
import pytest
import torch

from mmsigma.datasets.transforms import (
    CropViews,
    FlipClip,
    PackVideoInputs,
    RandAugmentClip,
    RandomResizedCropClip,
    ReadImageClip,
    RepeatAugment,
    SampleDenseClip,
    SampleDenseViews,
    SampleSegmentClip,
    SampleSegmentViews,
    UnreadableVideoError,
)
from mmsigma.datasets.videos.collate import flatten_collate
from tests.golden_evaluation import load_case


def frames(number: int, height: int, width: int, seed: int = 0) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    return list(generator.integers(256, size=(number, height, width, 3), dtype=np.uint8))


@pytest.mark.golden_cases('frame_indices')
def test_official_frames(golden_case, monkeypatch: pytest.MonkeyPatch) -> None:
    case = golden_case
    kind, total, length = case['kind'], case['num_frames'], case['clip_len']
    if kind == 'dense_test':
        sampled = SampleDenseViews(length, case['rate'], case['test_num_segment']).frames(total)
        assert sampled.tolist() == case['clips']
    elif kind == 'uniform_test':
        assert SampleSegmentViews(length, case['test_num_segment']).frames(total).tolist() == case['clips']
    elif kind == 'dense_train':
        monkeypatch.setattr(np.random, 'randint', lambda high: case['frames'][0])
        assert SampleDenseClip(length, case['rate']).frames(total)[0].tolist() == case['frames']
    elif kind == 'uniform_train' and total >= length:
        segment = total // length
        inside = np.array(case['frames']) - np.arange(length) * segment
        assert inside.min() >= 0 and inside.max() < segment
        monkeypatch.setattr(np.random, 'randint', lambda high, size: inside)
        assert SampleSegmentClip(length).frames(total)[0].tolist() == case['frames']


@pytest.mark.parametrize('name', ['k400', 'ssv2'])
def test_official_views(name: str) -> None:
    case = load_case('test_views')
    sampler = SampleDenseViews(16, 4, 5) if name == 'k400' else SampleSegmentViews(16, 2)
    videos = case.arrays['in_n_h_w' if name == 'k400' else 'in_n_h_w_ssv2']
    crops = CropViews(224, 3)
    for (total, height, width), indices, boxes in zip(
        videos, case.arrays[f'out_{name}_frames'], case.arrays[f'out_{name}_crop'], strict=True
    ):
        np.testing.assert_array_equal(np.repeat(sampler.frames(total), 3, axis=0), indices)
        corners = crops.corners(width, height)
        assert [[y, x, 224, 224] for x, y in corners] * (len(boxes) // 3) == boxes.tolist()


def test_views_are_clips_times_crops() -> None:
    images = frames(6, 32, 44)
    results = CropViews(32, 3)({'imgs': images, 'num_clips': 2})
    assert results['imgs'].shape == (6, 3, 32, 32, 3)
    for view, (clip, x) in enumerate((clip, x) for clip in range(2) for x in (0, 6, 12)):
        np.testing.assert_array_equal(results['imgs'][view, 1], images[3 * clip + 1][:, x : x + 32])
    packed = PackVideoInputs()(results)
    assert packed['inputs'].shape == (6, 3, 3, 32, 32)
    assert torch.equal(packed['inputs'][2, :, 1], torch.from_numpy(images[1][:, 12:44].copy()).permute(2, 0, 1))


@pytest.mark.parametrize(('height', 'width'), [(64, 48), (48, 64), (30, 40)])
def test_single_view_is_the_centre(height: int, width: int) -> None:
    image = np.zeros((height, width, 3), np.uint8)
    image[height // 2 - 2 : height // 2 + 2, width // 2 - 2 : width // 2 + 2] = 255
    (crop,) = CropViews(32)({'imgs': [image]})['imgs']
    ys, xs = np.nonzero(crop[..., 0] > 127)
    assert crop.shape == (32, 32, 3) and abs(ys.mean() - 15.5) < 0.6 and abs(xs.mean() - 15.5) < 0.6


@pytest.mark.parametrize('total', [1, 3, 15, 16, 17, 63, 64, 65, 300])
@pytest.mark.parametrize(
    'sampler',
    [SampleDenseClip(), SampleSegmentClip(), SampleDenseViews(num_clips=1), SampleSegmentViews(num_clips=1)],
    ids=repr,
)
def test_frames_are_in_the_video_and_in_order(sampler, total: int) -> None:
    for _ in range(10):
        results = sampler({'total_frames': total})
        indices = results['frame_inds']
        assert len(indices) == 16 and results['num_clips'] == 1
        assert indices.min() >= 0 and indices.max() < total and (np.diff(indices) >= 0).all()
    if total >= 16 and 'Segment' in repr(sampler):
        assert len(set(indices)) == 16


def test_short_videos_are_used_as_a_whole() -> None:
    seen = {index for _ in range(50) for index in SampleSegmentClip().frames(5)[0]}
    assert seen == set(range(5))  # the release repeats frame 0


def test_windows_are_uniform() -> None:
    starts = [int(SampleDenseClip(4, 2).frames(12)[0, 0]) for _ in range(2000)]
    counts = np.bincount(starts, minlength=5)
    assert len(counts) == 5 and abs(counts - 400).max() < 90


def test_segments_have_a_middle_and_a_start() -> None:
    with pytest.raises(ValueError, match='num_clips must be 1 or 2, got 3'):
        SampleSegmentViews(num_clips=3)


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


class TestImages:
    def test_image_as_clip(self, tmp_path) -> None:
        image = frames(1, 8, 10)[0]
        cv2.imwrite(str(tmp_path / 'a.png'), image[..., ::-1])
        results = ReadImageClip(4)({'filename': str(tmp_path / 'a.png')})
        assert len(results['imgs']) == 4
        np.testing.assert_array_equal(results['imgs'][3], image)

    def test_small_images_are_upscaled(self, tmp_path) -> None:
        cv2.imwrite(str(tmp_path / 'a.png'), frames(1, 32, 32)[0])
        for size, expected in ((224, 224), (16, 32)):
            results = ReadImageClip(2, upscale=size)({'filename': str(tmp_path / 'a.png')})
            assert results['imgs'][0].shape == (expected, expected, 3)
        assert results['original_shape'] == (32, 32)

    def test_missing_image(self) -> None:
        with pytest.raises(UnreadableVideoError, match=r'no\.png cannot be read: missing or not an image'):
            ReadImageClip()({'filename': 'no.png'})
