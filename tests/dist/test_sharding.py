"""Sharded models train as whole ones do, and save and load whole parameters."""

import pytest
import torch

from mmsigma.engine.sharding import FullySharded, is_sharded, local_part
from tests.dist.workers import (
    LossOnly,
    decay_of_parameters,
    joint_batch,
    run_ranks,
    sharded_state_worker,
    sharded_step_worker,
    step,
    tiny_sigma,
)


@pytest.mark.parametrize(('target', 'world_size'), [('mlp', 2), ('dino', 2), ('mlp', 4)])
def test_training_step_equals_that_of_one_process(target, world_size, tmp_path):
    expected = step(LossOnly(tiny_sigma(target)), *joint_batch())
    ranks = run_ranks(sharded_step_worker, world_size, tmp_path, target, world_size)
    torch.testing.assert_close(sum(rank['loss'] for rank in ranks) / world_size, expected['loss'], atol=1e-5, rtol=1e-5)
    for rank in ranks:
        torch.testing.assert_close(rank['usage'], expected['usage'])
        assert rank['gradients'].keys() == expected['gradients'].keys()
        for name, gradient in expected['gradients'].items():
            torch.testing.assert_close(rank['gradients'][name], gradient, atol=1e-6, rtol=1e-3, msg=name)
        for name in ('head.prototypes.0', 'head.prototypes.1'):
            torch.testing.assert_close(rank['parameters'][name], expected['parameters'][name], atol=1e-4, rtol=1e-4)


def test_what_is_saved_is_whole_and_continues_on_any_number_of_processes(tmp_path):
    (first, second) = run_ranks(sharded_state_worker, 2, tmp_path, None)
    whole = tiny_sigma('mlp')
    size = sum(value.numel() for value in whole.parameters())
    assert first['local'] + second['local'] == size and abs(first['local'] - second['local']) < 0.1 * size
    assert first['units'] == ['FSDPSIGMA', 'FSDPTransformerBlock', 'FSDPTransformerBlock']
    assert first['decay'] == decay_of_parameters(whole) and set(first['decay'].values()) == {0.0, 0.05}
    after_two, after_four = first['saved']
    for name, value in whole.state_dict().items():
        assert type(after_two['model'][name]) is torch.Tensor and after_two['model'][name].shape == value.shape
    norms = after_two['model']['head.prototypes.0'].norm(dim=1)
    torch.testing.assert_close(norms, torch.ones_like(norms))
    # four processes and one go on from there as two do
    whole.load_state_dict(after_two['model'])
    (tmp_path / 'four').mkdir()
    (*_, four) = run_ranks(sharded_state_worker, 4, tmp_path / 'four', after_two)
    for name, value in after_four['model'].items():
        torch.testing.assert_close(four['saved'][1]['model'][name], value, atol=1e-4, rtol=1e-3, msg=name)


def test_a_model_without_units():
    model = tiny_sigma('mlp')
    with pytest.raises(ValueError, match=r"strategy.units: SIGMA has no modules of the classes \('Layer',\)"):
        FullySharded(units=['Layer']).shard(model)
    assert not is_sharded(model) and all(local_part(value) is value for value in model.parameters())
