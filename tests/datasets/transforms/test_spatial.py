"""Crops and resizing."""

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from mmsigma.datasets.transforms import (
    CropViews,
    MultiScaleCrop,
    PackVideoInputs,
    RandAugmentClip,
    ResizeClip,
)
from mmsigma.datasets.transforms.spatial import crop_and_resize, distinct_frames
from tests.davis import read_davis_frame, requires_davis


class TestCrops:
    @staticmethod
    def frames(height: int, width: int) -> list[np.ndarray]:
        return list(np.random.randint(0, 256, (3, height, width, 3), np.uint8))

    @pytest.mark.golden_cases('multi_scale_crop')
    def test_official_crops(self, golden_case: dict) -> None:
        crop, (width, height) = MultiScaleCrop(), (golden_case['image_w'], golden_case['image_h'])
        assert [side for side, same in crop.sides(width, height) if side == same] == golden_case['crop_sizes']
        boxes = {(*side, *place) for side in crop.sides(width, height) for place in crop.places(width, height, *side)}
        assert boxes == {tuple(candidate) for candidate in golden_case['candidates']}

    @pytest.mark.parametrize(('side', 'snapped'), [(221, 221), (222, 224), (226, 224), (227, 227)])
    def test_sides_close_to_the_output_are_snapped(self, side: int, snapped: int) -> None:
        assert MultiScaleCrop(224, scales=[1]).sides(320, side) == [(snapped, snapped)]

    def test_every_crop_is_drawn(self) -> None:
        crop, frames = MultiScaleCrop(size=4, scales=(1, 0.5), max_distort=1), [np.zeros((16, 24, 3), np.uint8)]
        drawn = {crop({'imgs': frames})['crop_box'] for _ in range(600)}
        sides = crop.sides(24, 16)
        assert drawn == {(*place, *side) for side in sides for place in crop.places(24, 16, *side)}

    def test_distortion_can_be_forbidden(self) -> None:
        assert MultiScaleCrop(max_distort=0).sides(320, 240) == [(240, 240), (210, 210), (180, 180), (158, 158)]

    def test_all_frames_are_cropped_alike(self) -> None:
        frames = self.frames(30, 40)
        results = MultiScaleCrop(size=16)({'imgs': frames})
        x, y, width, height = results['crop_box']
        expected = by_pillow(frames, results['crop_box'], 16)
        assert np.abs(results['imgs'].astype(int) - expected).max() <= 1
        assert results['imgs'].dtype == np.uint8 and results['img_shape'] == (16, 16)

    @pytest.mark.parametrize('box', [(0, 0, 40, 30), (3, 5, 16, 16), (38, 2, 2, 9)])
    def test_crop_and_resize_is_opencv_per_frame(self, box: tuple[int, int, int, int]) -> None:
        frames, (x, y, width, height) = self.frames(30, 40), box
        expected = [cv2.resize(frame[y : y + height, x : x + width], (16, 16)) for frame in frames]
        np.testing.assert_array_equal(crop_and_resize(frames, box, 16, antialias=False), expected)

    def test_resize_ignores_the_aspect_ratio(self) -> None:
        frames = self.frames(30, 40)
        results = ResizeClip(20)({'imgs': frames})
        np.testing.assert_array_equal(results['imgs'], [cv2.resize(frame, (20, 20)) for frame in frames])
        assert results['img_shape'] == (20, 20)


def by_pillow(frames: list[np.ndarray], box: tuple[int, int, int, int], size: int) -> np.ndarray:
    x, y, width, height = box
    crops = (Image.fromarray(frame[y : y + height, x : x + width]) for frame in frames)
    return np.stack([np.asarray(crop.resize((size, size), Image.Resampling.BILINEAR)) for crop in crops])


def laplacian_variance(frames: np.ndarray) -> float:
    return float(np.mean([cv2.Laplacian(frame, cv2.CV_64F).var() for frame in frames]))


@requires_davis
class TestAntialiasingOfRealFrames:
    @staticmethod
    def frames(height: int) -> list[np.ndarray]:
        size = (height * 854 // 480, height)
        return [cv2.resize(read_davis_frame(video, 9), size) for video in ('camel', 'libby', 'dog')]

    @pytest.mark.parametrize('height', [240, 256, 320, 360, 480, 720])
    def test_crops_of_pre_training_have_the_pixels_of_pillow(self, height: int) -> None:
        frames, crop = self.frames(height), MultiScaleCrop()
        for width, tall in crop.sides(frames[0].shape[1], height):
            box = (7, 0, width, tall)
            found, expected = crop_and_resize(frames, box, 224, antialias=True), by_pillow(frames, box, 224)
            differences = np.abs(found.astype(int) - expected)
            # from 280 or 192 to 224, many pixels are halfway between two grey levels, and rounded weights decide
            assert differences.max() <= (2 if {192, 280} & {width, tall} else 1), box
            assert (differences > 1).mean() < 1e-4 and differences.mean() < 0.25, box
            if min(width, tall) < height:
                continue
            sharper = laplacian_variance(crop_and_resize(frames, box, 224, antialias=False))
            if height >= 320:  # what pre-training would see without antialiasing
                assert sharper > 1.2 * laplacian_variance(found)

    def test_every_pre_training_crop_is_antialiased(self) -> None:
        frames = self.frames(480)
        results = MultiScaleCrop(112)({'imgs': frames})
        assert np.abs(results['imgs'].astype(int) - by_pillow(frames, results['crop_box'], 112)).max() <= 1
        whole = (0, 0, 854, 480)
        for antialias, expected in ((True, by_pillow(frames, whole, 112)), (False, None)):
            resized = ResizeClip(112, antialias)({'imgs': frames})['imgs']
            if expected is None:
                expected = np.stack([cv2.resize(frame, (112, 112)) for frame in frames])
            assert np.abs(resized.astype(int) - expected).max() <= 1


def frames(number: int, height: int, width: int, seed: int = 0) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    return list(generator.integers(256, size=(number, height, width, 3), dtype=np.uint8))


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


def test_the_long_side_of_views_is_cut_off_to_whole_pixels() -> None:
    """321 x 240 at a short side of 224 is 299.6 pixels long: 299, so that three crops begin at 0, 37 and 75."""
    ramp = np.tile(np.arange(321, dtype=np.float32)[None, :, None], (240, 1, 3))
    crops = CropViews(224, 3)({'imgs': [ramp], 'num_clips': 1})['imgs']
    starts = [float(np.asarray(crop).reshape(-1, 224, 224, 3)[0, 0, 0, 0]) for crop in crops]
    scale = 321 / 299
    np.testing.assert_allclose(starts, [max((left + 0.5) * scale - 0.5, 0) for left in (0, 37, 75)], atol=1e-2)


def test_frames_that_are_one_object_are_processed_once() -> None:
    frames = np.random.default_rng(0).integers(0, 255, (3, 40, 60, 3), dtype=np.uint8)
    assert distinct_frames(frames)[1] == [0, 1, 2]  # an array makes a new object for each access
    still = [frames[1]] * 2 + [frames[0]]
    distinct, order = distinct_frames(still)
    assert len(distinct) == 2 and order == [0, 0, 1]
    copies = [frame.copy() for frame in still]
    for antialias in (True, False):
        box = (5, 3, 30, 20)
        np.testing.assert_array_equal(
            crop_and_resize(still, box, 16, antialias), crop_and_resize(copies, box, 16, antialias)
        )
    for policy in ('rand-m7-n4-mstd0.5-inc1', 'rand-m9-mstd0.5-inc1'):
        augment, found = RandAugmentClip(policy, size=32), []
        for clip in (still, copies):
            np.random.seed(3)
            found.append(augment(dict(imgs=clip))['imgs'])
        np.testing.assert_array_equal(*found)
