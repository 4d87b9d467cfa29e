"""The centre of DINO's teacher is that of the crops of all processes."""

from pathlib import Path

import torch

from tests.dist.dino_workers import center_of, center_worker, crops
from tests.dist.workers import run_ranks


def test_two_processes_have_the_centre_of_one(tmp_path: Path) -> None:
    expected = center_of(crops())
    first, second = run_ranks(center_worker, 2, tmp_path)
    assert torch.equal(first, second) and expected.abs().max() > 1e-3
    torch.testing.assert_close(first, expected, rtol=1e-5, atol=1e-7)
