"""The learning rate at every step, from the start and after a resume."""

import numpy as np
import pytest
import torch
from torch import nn

from mmsigma.engine import WarmupCosineLR
from mmsigma.registry import PARAM_SCHEDULERS


def sgd(*rates: float) -> torch.optim.Optimizer:
    return torch.optim.SGD([dict(params=[nn.Parameter(torch.zeros(1))], lr=rate) for rate in rates])


def run(scheduler: WarmupCosineLR, optimizer: torch.optim.Optimizer, steps: int) -> np.ndarray:
    """Rates of all groups, as in force during each step."""
    rates = []
    for _ in range(steps):
        rates.append([group['lr'] for group in optimizer.param_groups])
        optimizer.step()
        scheduler.step()
    return np.array(rates)


@pytest.mark.golden_cases('cosine_schedule')
def test_official_rates(golden_case) -> None:
    args, values = golden_case['args'], golden_case['values']
    warmup = args.get('warmup_steps', args.get('warmup_epochs', 0) * args['niter_per_ep'])
    optimizer = sgd(args['base_value'])
    ratio = args['final_value'] / args['base_value']
    scheduler = WarmupCosineLR(optimizer, warmup, len(values), ratio, by_epoch=False)
    np.testing.assert_allclose(run(scheduler, optimizer, len(values))[:, 0], values, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize('number', [0, 1, 2])
def test_official_rates_from_lengths_in_epochs(golden, number: int) -> None:
    args, values = golden('cosine_schedule').arrays[number].values()
    optimizer = sgd(args['base_value'])
    cfg = dict(
        type='WarmupCosineLR',
        warmup=args.get('warmup_epochs', 0),
        end=args['epochs'],
        min_ratio=args['final_value'] / args['base_value'],
        convert_to_iter_based=True,
    )
    scheduler = PARAM_SCHEDULERS.build(cfg, default_args=dict(optimizer=optimizer, epoch_length=args['niter_per_ep']))
    assert not scheduler.by_epoch
    np.testing.assert_allclose(run(scheduler, optimizer, len(values))[:, 0], values, rtol=1e-9, atol=1e-15)


def test_groups_keep_their_proportions() -> None:
    optimizer = sgd(1.0, 0.25)
    rates = run(WarmupCosineLR(optimizer, 3, 12, 0.1), optimizer, 12)
    np.testing.assert_allclose(rates[:, 1], rates[:, 0] / 4)
    assert rates[:, 0].max() == 1


@pytest.mark.parametrize('interruption', [1, 4, 5, 11])
def test_resumes_where_it_stopped(interruption: int) -> None:
    settings = dict(warmup=5, end=16, min_ratio=0.05)
    optimizer = sgd(0.3, 0.1)
    scheduler = WarmupCosineLR(optimizer, **settings)
    run(scheduler, optimizer, interruption)
    states = scheduler.state_dict(), optimizer.state_dict()
    expected = run(scheduler, optimizer, 16 - interruption)

    resumed_optimizer = sgd(0.3, 0.1)
    resumed = WarmupCosineLR(resumed_optimizer, **settings)
    resumed.load_state_dict(states[0])
    resumed_optimizer.load_state_dict(states[1])
    np.testing.assert_array_equal(run(resumed, resumed_optimizer, 16 - interruption), expected)


def test_waits_for_its_begin() -> None:
    optimizer = sgd(0.2)
    rates = run(WarmupCosineLR(optimizer, 2, 9, begin=4), optimizer, 9)[:, 0]
    alone = sgd(0.2)
    np.testing.assert_allclose(rates[-4:], run(WarmupCosineLR(alone, 2, 5), alone, 5)[1:, 0])


def test_stays_where_it_ends() -> None:
    optimizer = sgd(0.2)
    rates = run(WarmupCosineLR(optimizer, 0, 6, 0.5), optimizer, 9)[:, 0]
    assert (rates[6:] == rates[5]).all() and 0.1 < rates[5] < 0.2


def test_warmup_may_take_the_whole_schedule() -> None:
    optimizer = sgd(0.2)
    schedule = WarmupCosineLR(optimizer, 5, 5)
    assert schedule.factor(5) == 1
    rates = run(schedule, optimizer, 7)[:, 0]
    np.testing.assert_allclose(rates, [0, 0.05, 0.1, 0.15, 0.2, 0.2, 0.2])


@pytest.mark.parametrize('lengths', [dict(warmup=6, end=5), dict(warmup=-1, end=5), dict(warmup=4, end=5, begin=2)])
def test_warmup_longer_than_the_schedule(lengths: dict) -> None:
    with pytest.raises(ValueError, match='warmup .* must not be longer than the schedule'):
        WarmupCosineLR(sgd(0.1), **lengths)


def test_only_epochs_are_converted_to_iterations() -> None:
    with pytest.raises(ValueError, match='only a schedule in epochs'):
        WarmupCosineLR.build_iter_from_epoch(sgd(0.1), warmup=1, end=5, by_epoch=False, epoch_length=3)
