"""Several updates per batch with DDP."""

import torch

from tests.dist.counting_workers import counting_worker, make_batch, tiny_counter, train
from tests.dist.workers import run_ranks


def test_processes_stay_together_through_the_walk(tmp_path):
    first, second = run_ranks(counting_worker, 2, tmp_path)
    alone = train(tiny_counter(), make_batch(0))
    for expected, *others in zip(alone, first['same'], second['same'], strict=True):
        for value in others:
            torch.testing.assert_close(value, expected, atol=1e-5, rtol=1e-4)
    assert all(torch.equal(*pair) for pair in zip(first['different'], second['different'], strict=True))
    assert not all(torch.allclose(*pair) for pair in zip(first['different'], alone, strict=True))
