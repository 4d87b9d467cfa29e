"""Masks by the flow of RAFT, drawn on the device."""

from pathlib import Path

import pytest
import torch
from mmaction.structures import ActionDataSample

from mmsigma.checkpoints.files import CheckpointError
from mmsigma.models import MotionGuidedPreprocessor
from tests import algorithms


def build(**options) -> MotionGuidedPreprocessor:
    torch.manual_seed(0)
    return MotionGuidedPreprocessor('random', num_updates=1, **options)


def batch(frames: int = 4, side: int = 128) -> dict:
    clips = [torch.randint(0, 256, (3, frames, side, side), dtype=torch.uint8) for _ in range(2)]
    return dict(inputs=clips, data_samples=[ActionDataSample() for _ in clips])


def test_masks_are_those_of_the_flow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flow of one cell a frame moves the visible cell: to the left before the middle frame, to the right after it."""
    preprocessor = build(mask_ratio=1 - 1 / 64 - 1e-9, tubelet_size=1)
    flow = torch.zeros(2, 4, 2, 128, 128)
    flow[:, :2, 0], flow[:, 3, 0] = 16, -16
    monkeypatch.setattr(preprocessor, 'flows', lambda clips, base: flow)
    chosen = torch.full((2, 64), 0.5)
    chosen[0, 8 * 2 + 3] = chosen[1, 8 * 5 + 4] = 0
    monkeypatch.setattr(torch, 'rand', lambda *size, device: chosen)
    samples = preprocessor(batch(), True)['data_samples']
    for sample, row, column in zip(samples, (2, 5), (3, 4), strict=True):
        expected = [64 * time + 8 * row + column + time - 2 for time in range(4)]
        assert sample.visible.tolist() == expected
        assert sample.mask_grid == (4, 8, 8)
        assert (~sample.mask).nonzero()[:, 0].tolist() == expected
        assert sample.masked.tolist() == [token for token in range(256) if token not in expected]


def test_flow_is_of_frames_on_the_scale_of_raft() -> None:
    preprocessor, given = build(), []
    preprocessor._flow[0].forward = lambda *images, num_flow_updates: given.append(images) or [images[0][:, :2]]
    data = batch()
    clips = preprocessor.__class__.__mro__[1].forward(preprocessor, data)['inputs']
    flows = preprocessor.flows(clips, 2)
    assert not flows[:, 2].any()
    new, known = (images.view(2, 3, 3, 128, 128) for images in given[0])
    for position, (number, nearer) in enumerate(((0, 1), (1, 2), (3, 2))):
        for images, frame in ((new, number), (known, nearer)):
            expected = data['inputs'][1][:, frame] / 127.5 - 1
            torch.testing.assert_close(images[1, position], expected, atol=1e-5, rtol=0)


def test_nothing_is_masked_in_testing() -> None:
    (sample, _) = build()(batch(), False)['data_samples']
    assert 'mask' not in sample


def test_the_network_is_in_no_checkpoint_and_follows_the_device() -> None:
    preprocessor = build()
    assert not preprocessor.state_dict() and not list(preprocessor.parameters())
    preprocessor.double()
    assert next(preprocessor._flow[0].parameters()).dtype == torch.float64


def test_sigma_trains_with_it() -> None:
    case = algorithms.CASES['SIGMA with an MLP']
    backbone = dict(case.model['backbone'], img_size=128, patch_size=32)
    target = dict(case.model['target'], patch_size=32)
    settings = dict(type='MotionGuidedPreprocessor', weights='random', patch_size=32, mask_ratio=0.75, num_updates=1)
    model = case._replace(model=dict(case.model, backbone=backbone, target=target, data_preprocessor=settings)).build()
    losses = model(**model.data_preprocessor(batch(), True), mode='loss')
    algorithms.total(losses).backward()
    assert model.backbone.patch_embed.proj.weight.grad.any()


def test_weights_from_a_file(tmp_path: Path) -> None:
    state = build()._flow[0].state_dict()
    torch.save(state, tmp_path / 'raft.pth')
    torch.manual_seed(1)
    loaded = MotionGuidedPreprocessor(str(tmp_path / 'raft.pth'))._flow[0].state_dict()
    assert all(torch.equal(value, loaded[name]) for name, value in state.items())
    torch.save({'a': torch.ones(1)}, tmp_path / 'other.pth')
    with pytest.raises(CheckpointError, match='other.pth does not have the weights of RAFT-small'):
        MotionGuidedPreprocessor(str(tmp_path / 'other.pth'))


def test_clips_that_do_not_divide() -> None:
    with pytest.raises(ValueError, match='do not divide into tubes'):
        build(patch_size=24)(batch(), True)
