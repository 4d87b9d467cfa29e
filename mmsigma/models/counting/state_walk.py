"""The states that a counter is trained on: random starts, then a walk through the video that its predictions steer."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from mmsigma.ops.repetition import labels_at


@dataclass
class StateWalk:
    """States (left, middle, right) of a batch of videos from one optimisation step to the next (SEVERE's training).

    A walk starts anywhere, with segments that are the true cycles times a random factor. With every step the middle
    moves on by the video's length over U(5, 20), and the segments become what the network predicted. A walk that has
    arrived at the end, or whose segments became shorter than 4 frames or longer than the video, starts anew.

    The factor of a start is not stated anywhere. Inference begins with lengths of 3% to 35% of the video, far from most
    cycles, and relies on the anchors' classes there; hence the wide default.

    Args:
        max_factor: Largest factor, and inverse of the smallest one, by which a start is off; log-uniform.
        moves: Smallest and largest number of steps that a walk through the whole video would take.
        min_segment: Shortest segment in frames.
    """

    max_factor: float = 3.0
    moves: tuple[float, float] = (5.0, 20.0)
    min_segment: int = 4

    def start(self, previous: Tensor, following: Tensor, lengths: Tensor) -> Tensor:
        """Random states, int64 (B, 3).

        Args:
            previous: Distances (B, T) to the matching frame of the previous cycle, -1 where undefined.
            following: Distances (B, T) to that of the next cycle.
            lengths: Frames of the videos (B,).
        """
        middle = (self._uniform(lengths) * (lengths - 1)).long()
        cycles = torch.stack([labels_at(previous, middle, lengths), labels_at(following, middle + 1, lengths)], 1) + 1
        # at the first and last cycle one side is unknown: take the other one; if both are, any plausible length
        guess = (lengths * (0.35 / 0.03) ** self._uniform(lengths) * 0.03)[:, None]
        cycles = torch.where(cycles > 0, cycles, cycles.flip(1)).double()
        cycles = torch.where(cycles > 0, cycles, guess)
        spread = 2 * torch.stack([self._uniform(lengths), self._uniform(lengths)], dim=1) - 1
        segments = cycles * (math.log(self.max_factor) * spread).exp()
        longest = (lengths / 2).clamp(min=self.min_segment)[:, None]
        return _states(middle, torch.minimum(segments.clamp(min=self.min_segment), longest))

    def advance(self, states: Tensor, scales: Tensor, fresh: Tensor, lengths: Tensor) -> Tensor:
        """States of the next step, int64 (B, 3).

        Args:
            states: Those of this step (B, 3).
            scales: Predicted scales of the left and the right segment (B, 2).
            fresh: States (B, 3) of the walks that start anew.
            lengths: Frames of the videos (B,).
        """
        fewest, most = self.moves
        stride = lengths / (fewest + (most - fewest) * self._uniform(lengths))
        middle = (states[:, 1] + stride).long()
        segments = segment_lengths(states) * scales
        failed = (segments < self.min_segment) | (segments > lengths[:, None])
        restart = failed.any(dim=1) | (middle + 1 >= lengths)
        return torch.where(restart[:, None], fresh, _states(middle, segments))

    @staticmethod
    def _uniform(like: Tensor) -> Tensor:
        # drawn on the CPU, whose generator the training loop seeds
        return torch.rand(like.shape, dtype=torch.float64).to(like.device)


def segment_lengths(states: Tensor) -> Tensor:
    """Frames of the left and the right segment (B, 2) of states (B, 3)."""
    left, middle, right = states.unbind(dim=1)
    return torch.stack([middle - left + 1, right - middle], dim=1)


def _states(middle: Tensor, segments: Tensor) -> Tensor:
    own, following = segments.round().long().unbind(dim=1)
    return torch.stack([middle - own + 1, middle, middle + following], dim=1)
