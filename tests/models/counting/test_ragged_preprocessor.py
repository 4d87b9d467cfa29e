"""Videos of unlike lengths: bytes until windows are cut."""

import pytest
import torch
from mmaction.structures import ActionDataSample

from mmsigma.ops.repetition import cycle_labels, window_indices
from mmsigma.registry import MODELS


def build(**options) -> torch.nn.Module:
    backbone = dict(
        type='VideoVisionTransformer',
        arch=dict(embed_dims=24, depth=1, num_heads=2),
        img_size=16,
        num_frames=32,
        patch_size=8,
        final_norm=False,
    )
    return MODELS.build(dict(type='RepetitionCounter', backbone=backbone, head=dict(type='CountingHead'), **options))


def batch(lengths: tuple[int, ...] = (40, 61), cycle: int = 10) -> dict:
    videos, samples = [], []
    for length in lengths:
        following, previous = cycle_labels([*range(0, length, cycle)])
        sample = ActionDataSample()
        for name, labels in (('previous_labels', previous), ('next_labels', following)):
            padded = torch.full((length,), -1)
            padded[: len(labels)] = torch.from_numpy(labels)
            sample.set_field(padded, name)
        samples.append(sample)
        videos.append(torch.randint(0, 256, (3, length, 16, 16), dtype=torch.uint8))
    return {'inputs': videos, 'data_samples': samples}


def test_preprocessor_leaves_bytes_and_normalises_windows():
    model, data = build(), batch()
    out = model.data_preprocessor(data, True)
    assert [video.dtype for video in out['inputs']] == [torch.uint8] * 2
    states = torch.tensor([[5, 14, 24], [20, 29, 39]])
    windows = model.windows(out['inputs'], states)
    frame = window_indices(states)[0, 8]
    mean, std = torch.tensor([123.675, 116.28, 103.53]), torch.tensor([58.395, 57.12, 57.375])
    expected = (data['inputs'][0][:, frame].float() - mean.view(3, 1, 1)) / std.view(3, 1, 1)
    torch.testing.assert_close(windows[0, :, 8], expected)
    with pytest.raises(ValueError, match=r'\(C=3, T, H, W\), got \(1, 4, 8, 8\)'):
        model.data_preprocessor({'inputs': [torch.zeros(1, 4, 8, 8, dtype=torch.uint8)]})
