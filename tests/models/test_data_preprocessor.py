"""Stacking and normalising clips."""

import pytest
import torch

from mmsigma.models import VideoDataPreprocessor


def clip(*shape: int, dtype: torch.dtype = torch.uint8) -> torch.Tensor:
    return torch.randint(256, shape, dtype=dtype)


@pytest.mark.parametrize('stacked', [False, True])
def test_normalises_with_the_statistics_of_imagenet(stacked: bool) -> None:
    clips = [clip(3, 2, 4, 5), clip(3, 2, 4, 5)]
    out = VideoDataPreprocessor()({'inputs': torch.stack(clips) if stacked else clips, 'data_samples': ['a', 'b']})
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1, 1)
    assert out['inputs'].dtype == torch.float32 and out['inputs'].shape == (2, 3, 2, 4, 5)
    torch.testing.assert_close(out['inputs'], (torch.stack(clips) / 255 - mean) / std, atol=1e-5, rtol=1e-5)
    assert out['data_samples'] == ['a', 'b']


def test_other_statistics() -> None:
    out = VideoDataPreprocessor(mean=[10.0], std=[2.0])({'inputs': [torch.full((1, 1, 1, 1), 14, dtype=torch.uint8)]})
    assert out['inputs'].item() == 2 and out['data_samples'] is None


def test_input_is_left_as_it_was() -> None:
    batch = clip(2, 3, 2, 4, 4, dtype=torch.float32)
    before = batch.clone()
    VideoDataPreprocessor()({'inputs': batch})
    assert torch.equal(batch, before)


@pytest.mark.parametrize(
    ('shapes', 'message'),
    [
        ([(3, 2, 4, 4), (3, 2, 4, 5)], r'the same shape, got \[\(3, 2, 4, 4\), \(3, 2, 4, 5\)\]'),
        ([(1, 2, 4, 4)], r'\(C=3, T, H, W\), got \(1, 2, 4, 4\)'),
        ([(2, 4, 4, 3)], r'got \(2, 4, 4, 3\)'),
        ([(3, 4, 4)], r'got \(3, 4, 4\)'),
        ([], r'the same shape, got \[\]'),
    ],
)
def test_refuses(shapes: list[tuple[int, ...]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        VideoDataPreprocessor()({'inputs': [clip(*shape) for shape in shapes], 'data_samples': None})


def test_statistics_are_not_stored() -> None:
    assert not VideoDataPreprocessor().state_dict()
