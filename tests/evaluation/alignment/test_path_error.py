"""Errors along the path of an alignment."""

import pytest
import torch

from mmsigma.evaluation.alignment.frame_cost import PathChoice
from mmsigma.evaluation.alignment.path_error import (
    diagonal_error,
    path_error,
    phase_progress,
)


class TestPath:
    def test_progress(self) -> None:
        assert phase_progress(torch.tensor([0, 0, 1, 1, 1, 1])).tolist() == [0.25, 0.75, 1.125, 1.375, 1.625, 1.875]
        assert phase_progress(torch.tensor([2, 0, 2, 0])).tolist() == [2.25, 0.25, 2.75, 0.75]

    @pytest.mark.parametrize('choice', [None, PathChoice('sqeuclidean', 'dtw'), PathChoice('cosine', 'slope')])
    def test_slower_video(self, choice: PathChoice | None) -> None:
        """The same video at half the speed aligns without error; the reversed one does not."""
        labels = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2])
        angles = torch.arange(8.0)[:, None] / 3
        frames = torch.cat([angles.cos(), angles.sin()], dim=1)
        slow = frames.repeat_interleave(2, dim=0), labels.repeat_interleave(2)
        error = path_error((frames, labels), slow, 3, choice)
        # the mean path is rounded to frames, half a frame of the fast video early or late
        assert error.phase <= (0 if choice else 0.1) and error.progress < 0.06
        backwards = path_error((frames, labels), (slow[0].flip(0), slow[1]), 3, choice)
        assert backwards.progress > error.progress
        if choice is None or choice.path == 'dtw':
            assert backwards.phase > 0.2 and backwards.progress > 0.09

    def test_each_choice_on_a_path_of_its_own(self) -> None:
        """The error is the mean over the pairs of the path that was chosen."""
        generator = torch.Generator().manual_seed(0)
        one, other = (torch.randn(length, 4, generator=generator) for length in (12, 20))
        labels = torch.arange(12) // 6, torch.arange(20) // 7
        errors = set()
        for choice in (PathChoice(), PathChoice('sqeuclidean', 'dtw'), PathChoice('cosine', 'slope')):
            _, path = choice.align(one, other)
            wrong = sum(int(labels[0][i] != labels[1][j]) for i, j in zip(*path, strict=True))
            errors.add(path_error((one, labels[0]), (other, labels[1]), 3, choice).phase)
            assert wrong / len(path.first) in errors
        assert len(errors) == 3

    def test_no_alignment_at_all(self) -> None:
        labels = torch.tensor([0, 0, 0, 1])
        assert diagonal_error(labels, labels.repeat_interleave(3), 2).phase < 0.1
        other = diagonal_error(labels, torch.tensor([0, 1, 1, 1]), 2)
        assert other.phase == 0.5 and other.progress == pytest.approx((1 / 3 + 2 / 3 + 2 / 3 + 1 / 3) / 4 / 2)
