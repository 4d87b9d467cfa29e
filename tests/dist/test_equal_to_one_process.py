"""N gloo processes give what one process gives for the joint batch."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from mmsigma.ops import sinkhorn
from tests.dist.workers import (
    LossOnly,
    diverging_worker,
    joint_batch,
    linear_worker,
    queue_losses,
    queue_worker,
    run_ranks,
    sinkhorn_worker,
    step,
    step_worker,
    tiny_sigma,
)

GOLDEN = Path(__file__).parents[1] / 'golden' / 'sigma'
CASES = {'case0': (2, 0.05, 10), 'case1': (3, 0.03, 3)}


@pytest.mark.parametrize('case', CASES)
def test_sinkhorn_equals_the_release(case, tmp_path):
    world_size, epsilon, num_iters = CASES[case]
    arrays = np.load(GOLDEN / 'sinkhorn_distributed.npz')
    manifest = {entry['name']: entry for entry in json.loads((GOLDEN / 'manifest.json').read_text())['entries']}
    assert manifest['sinkhorn_distributed']['cases'][case]['world_size'] == world_size
    shards = list(torch.from_numpy(arrays[f'{case}/scores']))
    codes = torch.stack(
        [codes for codes, _ in run_ranks(sinkhorn_worker, world_size, tmp_path, shards, epsilon, num_iters)]
    )
    np.testing.assert_allclose(codes, arrays[f'{case}/q_distributed'], atol=2e-5)


@pytest.mark.parametrize('sizes', [(5, 12), (1, 16), (17, 0)])
def test_sinkhorn_with_unequal_shares(sizes, tmp_path):
    scores = torch.nn.functional.normalize(torch.randn(17, 7, generator=torch.Generator().manual_seed(3)), dim=1)
    expected = sinkhorn(scores, 0.05, 10)
    results = run_ranks(sinkhorn_worker, 2, tmp_path, list(scores.split(sizes)), 0.05, 10)
    torch.testing.assert_close(torch.cat([codes for codes, _ in results]), expected, atol=1e-6, rtol=1e-5)
    assert torch.equal(torch.cat([labels for _, labels in results]), expected.argmax(dim=1))


def test_sinkhorn_where_one_process_has_scores_of_a_wide_range(tmp_path):
    """The others have to compute in the log domain as well, or they would wait for each other for ever."""
    narrow, wide = torch.randn(12, 6, generator=torch.Generator().manual_seed(3)).split(6)
    shards = [0.1 * narrow, 20 * wide]
    log_plan = torch.cat(shards).double() / 0.05
    for _ in range(4):
        log_plan = log_plan.log_softmax(dim=0).log_softmax(dim=1)
    results = run_ranks(sinkhorn_worker, 2, tmp_path, shards, 0.05, 4)
    torch.testing.assert_close(torch.cat([codes for codes, _ in results]).double(), log_plan.exp(), atol=1e-3, rtol=0)
    assert torch.equal(torch.cat([labels for _, labels in results]), log_plan.argmax(dim=1))


@pytest.mark.parametrize('target', ['mlp', 'dino'])
def test_training_step(target, tmp_path):
    expected = step(LossOnly(tiny_sigma(target)), *joint_batch())
    first, second = run_ranks(step_worker, 2, tmp_path, target)
    torch.testing.assert_close((first['loss'] + second['loss']) / 2, expected['loss'], atol=1e-5, rtol=1e-5)
    assert len(expected['usage']) == 4  # two numbers for each of two levels
    torch.testing.assert_close(first['usage'], expected['usage'])
    torch.testing.assert_close(second['usage'], expected['usage'])
    for name, gradient in expected['gradients'].items():
        torch.testing.assert_close(first['gradients'][name], gradient, atol=1e-6, rtol=1e-3, msg=name)
    for name in ('head.prototypes.0', 'head.prototypes.1'):
        torch.testing.assert_close(first['parameters'][name], expected['parameters'][name], atol=1e-4, rtol=1e-4)
        assert torch.equal(first['parameters'][name], second['parameters'][name])


def test_codes_with_a_queue(tmp_path):
    expected = queue_losses(LossOnly(tiny_sigma('mlp')))
    first, second = run_ranks(queue_worker, 2, tmp_path)
    np.testing.assert_allclose(np.mean([first, second], axis=0), expected, rtol=1e-5)


def test_no_process_makes_a_step_that_another_leaves_out(tmp_path):
    for found in run_ranks(diverging_worker, 2, tmp_path):
        assert not found['changed'] and found['message'].startswith('the loss is not finite in iteration 0')


@pytest.mark.parametrize(('faster', 'expected'), [([True, False], 'convolution'), ([False, True], 'matmul')])
def test_all_processes_compute_alike(faster: list[bool], expected: str, tmp_path: Path) -> None:
    assert run_ranks(linear_worker, 2, tmp_path, faster) == [expected, expected]
