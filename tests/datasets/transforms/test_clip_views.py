"""Clips of frames in two views, and pseudo masks that follow them."""

import numpy as np
import pytest
from PIL import Image

from mmsigma.datasets.transforms import (
    CropEachFrame,
    PackClipViews,
    ScaleCropFlip,
    SecondView,
)
from mmsigma.models.mask_vos.clip_views_preprocessor import ClipViewsPreprocessor
from mmsigma.ops.view_geometry import warp_to_view
from tests.davis import read_davis_frame, read_davis_mask, requires_davis


def ramps(size: tuple[int, int] = (64, 96), count: int = 3) -> list[np.ndarray]:
    """Frames whose channels are x and y."""
    frame = np.zeros((*size, 3), np.uint8)
    frame[..., 0], frame[..., 1] = np.arange(size[1]) * 2, np.arange(size[0])[:, None] * 2
    return [frame] * count


class TestViews:
    def test_masks_are_cut_like_frames(self) -> None:
        np.random.seed(1)
        for _ in range(10):
            masks = np.zeros((3, 64, 96), np.uint8)
            masks[:, 20:40, 30:70] = 7
            frames = [np.repeat(mask[..., None] * 30, 3, axis=2) for mask in masks]
            results = ScaleCropFlip(48, (48, 60))(dict(imgs=frames, pseudo_mask=masks))
            assert results['pseudo_mask'].shape == (3, 48, 48) and set(np.unique(results['pseudo_mask'])) <= {0, 7}
            agree = (results['imgs'][0][..., 0] > 105) == (results['pseudo_mask'][0] == 7)
            assert agree.mean() > 0.97

    def test_second_view_is_what_its_geometry_says(self) -> None:
        np.random.seed(2)
        for _ in range(8):
            results = SecondView()(dict(imgs=[frame[:64, :64] for frame in ramps((64, 64))]))
            packed = PackClipViews()({**results, 'filename': 'a', 'frame_inds': np.arange(3)})
            data = dict(
                inputs={key: [value] for key, value in packed['inputs'].items()}, data_samples=[packed['data_samples']]
            )
            clip = ClipViewsPreprocessor((0, 0, 0), (1, 1, 1))(data)['inputs']
            warped = warp_to_view(clip.images[:, 0], clip.back)
            assert (warped - clip.views[:, 0]).abs().mean() < 2.5  # nearest against bilinear; a pixel is 2

    def test_ranges(self) -> None:
        with pytest.raises(ValueError, match='must be an increasing range that starts at size 64 or above'):
            ScaleCropFlip(64, (48, 80))
        with pytest.raises(ValueError, match='between 0 and 1'):
            SecondView(zoom=(0.5, 1.5))


def test_each_frame_is_cropped_by_itself() -> None:
    np.random.seed(0)
    masks = np.zeros((4, 90, 120), np.uint8)
    masks[:, 30:60, 40:90] = 3
    frames = [np.repeat(mask[..., None] * 60, 3, axis=2) for mask in masks]
    results = CropEachFrame(64)(dict(imgs=frames, pseudo_mask=masks))
    assert results['pseudo_mask'].shape == (4, 64, 64) and set(np.unique(results['pseudo_mask'])) == {0, 3}
    for image, mask in zip(results['imgs'], results['pseudo_mask'], strict=True):
        assert image.shape == (64, 64, 3)
        assert ((image[..., 0] > 90) == (mask == 3)).mean() > 0.97
    assert not np.array_equal(results['imgs'][0], results['imgs'][1])


@requires_davis
class TestRealFramesAndMasksHaveThePixelsOfPillow:
    @staticmethod
    def clip() -> tuple[list[np.ndarray], np.ndarray]:
        frames = [read_davis_frame('libby', number)[:, 200:680] for number in (0, 20)]
        return frames, np.stack([read_davis_mask('libby', number)[:, 200:680] for number in (0, 20)])

    @staticmethod
    def assert_resized(results: dict, frames: list[np.ndarray], masks: np.ndarray) -> None:
        for found, frame in zip(results['imgs'], frames, strict=True):
            expected = Image.fromarray(frame).resize((224, 224), Image.Resampling.BILINEAR)
            assert np.abs(found.astype(int) - np.asarray(expected)).max() <= 1
        for found, mask in zip(results['pseudo_mask'], masks, strict=True):
            np.testing.assert_array_equal(found, Image.fromarray(mask).resize((224, 224), Image.Resampling.NEAREST))

    def test_scale(self) -> None:
        frames, masks = self.clip()
        results = ScaleCropFlip(224, (224, 224), flip=0)(dict(imgs=list(frames), pseudo_mask=masks))
        self.assert_resized(results, frames, masks)

    def test_crop_of_each_frame(self, monkeypatch: pytest.MonkeyPatch) -> None:
        frames, masks = self.clip()
        crop = CropEachFrame(224)
        monkeypatch.setattr(crop, 'draw_box', lambda width, height: (7, 31, 420, 400))
        results = crop(dict(imgs=list(frames), pseudo_mask=masks))
        parts = slice(31, 431), slice(7, 427)
        self.assert_resized(results, [frame[parts] for frame in frames], masks[(slice(None), *parts)])

    def test_length_of_the_long_side(self) -> None:
        np.random.seed(0)
        frames = [np.zeros((480, 854, 3), np.uint8)]
        seen = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                'mmsigma.datasets.transforms.clip_views.resize_frames',
                lambda frames, size, antialias: seen.append(size) or np.zeros((1, *size, 3), np.uint8),
            )
            ScaleCropFlip(259, (259, 259))(dict(imgs=frames))
        assert seen == [(259, 460)]  # of 460.8, as in the release


@pytest.mark.parametrize('transform', [ScaleCropFlip(24, (28, 40)), CropEachFrame(24)], ids=['one crop', 'each frame'])
def test_soft_masks_are_treated_like_frames(transform: ScaleCropFlip | CropEachFrame) -> None:
    frames = [*np.random.default_rng(0).integers(0, 256, (3, 36, 52, 3), dtype=np.uint8)]
    masks = np.concatenate([np.stack(frames), np.stack(frames)[..., :1]], axis=-1)
    for seed in range(4):
        np.random.seed(seed)
        results = transform(dict(imgs=frames, pseudo_mask=masks))
        assert results['pseudo_mask'].shape == (3, 24, 24, 4)
        np.testing.assert_array_equal(results['pseudo_mask'][..., :3], np.stack(results['imgs']))
