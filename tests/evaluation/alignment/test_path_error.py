"""Errors along the path of an alignment."""

import pytest
import torch

from mmsigma.evaluation.alignment.path_error import (
    diagonal_error,
    path_error,
    phase_progress,
)


class TestPath:
    def test_progress(self) -> None:
        assert phase_progress(torch.tensor([0, 0, 1, 1, 1, 1])).tolist() == [0.25, 0.75, 1.125, 1.375, 1.625, 1.875]
        assert phase_progress(torch.tensor([2, 0, 2, 0])).tolist() == [2.25, 0.25, 2.75, 0.75]

    def test_slower_video(self) -> None:
        """The same video at half the speed aligns without error; the reversed one does not."""
        labels = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2])
        frames = torch.arange(8.0)[:, None] * torch.ones(3)
        slow = frames.repeat_interleave(2, dim=0), labels.repeat_interleave(2)
        error = path_error((frames, labels), slow, 3)
        assert error.phase == 0 and error.progress < 0.06
        backwards = path_error((frames, labels), (slow[0].flip(0), slow[1]), 3)
        assert backwards.phase > 0.2 and backwards.progress > 0.1

    def test_no_alignment_at_all(self) -> None:
        labels = torch.tensor([0, 0, 0, 1])
        assert diagonal_error(labels, labels.repeat_interleave(3), 2).phase < 0.1
        other = diagonal_error(labels, torch.tensor([0, 1, 1, 1]), 2)
        assert other.phase == 0.5 and other.progress == pytest.approx((1 / 3 + 2 / 3 + 2 / 3 + 1 / 3) / 4 / 2)
