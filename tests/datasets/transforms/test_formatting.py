"""From a clip to a sample."""

import numpy as np
import pytest
import torch

from mmsigma.datasets.transforms import (
    PackVideoInputs,
    RandomMask,
)


class TestPack:
    @pytest.mark.parametrize('as_list', [True, False])
    def test_clip_is_uint8_with_channels_first(self, as_list: bool) -> None:
        frames = np.random.randint(0, 256, (4, 6, 5, 3), np.uint8)
        inputs = PackVideoInputs()({'imgs': list(frames) if as_list else frames})['inputs']
        assert inputs.dtype == torch.uint8 and inputs.is_contiguous()
        np.testing.assert_array_equal(inputs, frames.transpose(3, 0, 1, 2))

    def test_sample_carries_label_mask_and_metadata(self) -> None:
        mask = np.array([True, False])
        results = dict(imgs=np.zeros((1, 2, 2, 3), np.uint8), label=7, mask=mask, filename='a.mp4', failures=[], x=1)
        sample = PackVideoInputs()(results)['data_samples']
        assert sample.gt_label.tolist() == [7] and sample.mask.tolist() == [True, False]
        assert sample.metainfo == {'filename': 'a.mp4', 'failures': []}

    def test_sample_knows_the_grid_of_its_mask(self) -> None:
        results = RandomMask([1, 2, 3], 0.5)(dict(imgs=np.zeros((1, 2, 2, 3), np.uint8)))
        assert PackVideoInputs()(results)['data_samples'].metainfo == {'mask_grid': (1, 2, 3)}

    @pytest.mark.parametrize('label', [{}, {'label': -1}])
    def test_sample_without_label_and_mask(self, label: dict) -> None:
        sample = PackVideoInputs()({'imgs': np.zeros((1, 2, 2, 3), np.uint8), **label})['data_samples']
        assert not sample.keys()

    def test_other_metadata(self) -> None:
        results = dict(imgs=np.zeros((1, 2, 2, 3), np.uint8), filename='a.mp4', x=1)
        assert PackVideoInputs(meta_keys=['x'])(results)['data_samples'].metainfo == {'x': 1}
