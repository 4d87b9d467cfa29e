"""States for the training of repetition counting: random starts, then a walk that is steered by the predictions."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from mmsigma.ops.repetition import labels_at


@dataclass
class StateWalk:
    """Walk of the states (left, middle, right) of a batch of videos over the updates of a training step (SEVERE).

    A walk starts at a random frame, with segments that are the true cycles times a random factor. At every step, the
    middle advances by the length of the video divided by U(5, 20), and the segments become those that the network
    predicts. A walk starts anew when it has reached the end, or when a segment is shorter than 4 frames or longer than
    the video.

    The factor of a start is not documented. Inference begins with lengths of 3% to 35% of the video, which are far from
    most cycles, and relies on the classes of the anchors there; hence the wide default.

    Args:
        max_factor: Largest factor of a start, and inverse of the smallest one; factors are log-uniform.
        moves: Smallest and largest number of steps of a walk through the whole video.
        min_segment: Length of the shortest segment in frames.
    """

    max_factor: float = 3.0
    moves: tuple[float, float] = (5.0, 20.0)
    min_segment: int = 4

    def start(self, previous: Tensor, following: Tensor, lengths: Tensor) -> Tensor:
        """Draw the states of new walks.

        Args:
            previous: Distance of each frame to the matching frame of the previous cycle, ``(B, T)``; -1 where
                undefined.
            following: Distance of each frame to the matching frame of the next cycle, ``(B, T)``; -1 where undefined.
            lengths: Numbers of frames of the videos, ``(B,)``.

        Returns:
            States ``(B, 3)``, int64.
        """
        middle = (self._uniform(lengths) * (lengths - 1)).long()
        cycles = torch.stack([labels_at(previous, middle, lengths), labels_at(following, middle + 1, lengths)], 1) + 1
        # in the first and the last cycle, one side is unknown and the other one used; if both are, any plausible length
        guess = (lengths * (0.35 / 0.03) ** self._uniform(lengths) * 0.03)[:, None]
        cycles = torch.where(cycles > 0, cycles, cycles.flip(1)).double()
        cycles = torch.where(cycles > 0, cycles, guess)
        spread = 2 * torch.stack([self._uniform(lengths), self._uniform(lengths)], dim=1) - 1
        segments = cycles * (math.log(self.max_factor) * spread).exp()
        longest = (lengths / 2).clamp(min=self.min_segment)[:, None]
        return _states(middle, torch.minimum(segments.clamp(min=self.min_segment), longest))

    def advance(self, states: Tensor, scales: Tensor, fresh: Tensor, lengths: Tensor) -> Tensor:
        """Advance walks by one step.

        Args:
            states: States of this step, ``(B, 3)``.
            scales: Predicted ratios of cycle and segment for the left and the right segments, ``(B, 2)``.
            fresh: States for walks that start anew, ``(B, 3)``.
            lengths: Numbers of frames of the videos, ``(B,)``.

        Returns:
            States of the next step, ``(B, 3)``, int64.
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
        # drawn on the CPU, the generator of which is seeded by the training loop
        return torch.rand(like.shape, dtype=torch.float64).to(like.device)


def segment_lengths(states: Tensor) -> Tensor:
    """Return the lengths in frames, ``(B, 2)``, of the left and the right segments of states ``(B, 3)``."""
    left, middle, right = states.unbind(dim=1)
    return torch.stack([middle - left + 1, right - middle], dim=1)


def _states(middle: Tensor, segments: Tensor) -> Tensor:
    own, following = segments.round().long().unbind(dim=1)
    return torch.stack([middle - own + 1, middle, middle + following], dim=1)
