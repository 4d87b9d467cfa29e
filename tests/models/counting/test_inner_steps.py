"""Several updates per batch."""

import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.optim import OptimWrapper

from mmsigma.ops.repetition import cycle_labels
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


def test_a_batch_is_worth_several_updates_along_the_walk():
    model = build(num_steps=4)
    states, history, step = [], [], model.step

    def recorded(videos, samples, given):
        states.append(given)
        losses, following = step(videos, samples, given)
        history.append(losses)
        return losses, following

    model.step = recorded
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    log = model.train_step(batch(), OptimWrapper(optimizer))
    assert {'loss', 'loss_cls', 'loss_box', 'positive_share'} == set(log)
    for name in ('loss_cls', 'loss_box', 'positive_share'):
        mean = torch.stack([losses[name].detach() for losses in history]).mean()
        torch.testing.assert_close(log[name], mean)
    assert states[0] is None and all(given.shape == (2, 3) for given in states[1:]) and len(states) == 4
    assert {int(value['step']) for value in optimizer.state.values()} == {4}


def test_accumulated_gradients_are_refused():
    model = build()
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1), accumulative_counts=2)
    with pytest.raises(ValueError, match='accumulative_counts must be 1'):
        model.train_step(batch(), wrapper)
