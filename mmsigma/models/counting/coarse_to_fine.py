"""Coarse-to-fine repetition counting with a network that scores states (inference of the SEVERE benchmark).

A state (left, middle, right) consists of the frame numbers of the ends of two neighbouring segments: the cycle up to
and including the frame ``middle``, and the cycle after it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mmsigma.models.counting.counting_head import CountingHead, CycleScores

# computes the scores of the windows of N states, (N, 3)
StateScores = Callable[[Tensor], CycleScores]
# iterations on the levels of 2, 4, 8 and 16 nodes
_ITERATIONS = (4, 2, 1, 1)
# level on which a node writes its two halves to different copies of the ends; on the others, to both copies
_SPLIT_LEVEL = 3
_COPY_OF_RIGHT_HALF, _COPY_OF_LEFT_HALF = 0, 1


@dataclass
class CoarseToFineCounter:
    """Inference of SEVERE's repetition counting (val_2stream), with all windows of a level in one batch.

    1. In the middle of the video, ``num_scales`` cycle lengths are tried. The one with the highest score is refined.
    2. 32 positions start from that length. On four levels, 2, 4, 8 and 16 nodes among them correct their cycle and
       pass it on to their neighbourhood.
    3. The count is the length of the video times the mean frequency at positions whose windows lie within the video.

    No state is kept between videos. Frame numbers are float64 on the CPU, so that results do not depend on the device.

    Args:
        head: Head that decodes the scores of the network.
        num_scales: Number of cycle lengths to try first.
        scale_range: Shortest and longest of them, relative to the length of the video.
        max_log_scale: Largest absolute log scale relative to an anchor; larger ones are clamped.
        min_segment: Length of the shortest segment in frames.
    """

    head: CountingHead
    num_scales: int = 30
    scale_range: tuple[float, float] = (0.03, 0.35)
    max_log_scale: float = 0.5
    min_segment: int = 4

    def count(self, network: StateScores, length: int) -> int:
        """Count the repetitions in a video.

        Args:
            network: Computes the scores of states of the video.
            length: Number of frames of the video.

        Returns:
            Number of repetitions.
        """
        segment = self.initial_segment(network, length)
        middles, left, right = self.cycles(network, length, segment)
        own, following = middles - left + 1, right - middles
        valid = (left - own >= 0) & (right + following < length)
        if not valid.any():
            return round(length / (segment + 1))
        return round(length * float((0.5 / own[valid] + 0.5 / following[valid]).mean()))

    def initial_segment(self, network: StateScores, length: int) -> int:
        """Estimate the cycle length in the middle of the video, in frames; for the arguments, see :meth:`count`."""
        shortest, longest = self.scale_range
        exponents = np.arange(self.num_scales) / (self.num_scales - 1)
        tried = torch.from_numpy(length * shortest * (longest / shortest) ** exponents)
        scores = self._judge(network, self._central_states(tried, length))
        lengths = self._unit_anchor_lengths(tried, scores).long()
        sure = scores.cls_left.softmax(dim=1)[:, 1, self._unit_anchor]
        allowed = self._allowed(lengths, length)
        segment = int(lengths[sure.where(allowed, -1.0).argmax()]) if allowed.any() else int(tried[0])
        for _ in range(4):
            scores = self._judge(network, self._central_states(torch.tensor([float(segment)]), length))
            refined = self._unit_anchor_lengths(torch.tensor([float(segment)]), scores)
            if self._allowed(refined, length):
                segment = round((segment + float(refined)) / 2)
        return segment

    def cycles(self, network: StateScores, length: int, segment: int) -> tuple[Tensor, Tensor, Tensor]:
        """Find the cycles around 32 positions.

        Args:
            network: Computes the scores of states of the video.
            length: Number of frames of the video.
            segment: Initial cycle length in frames.

        Returns:
            Middles, left ends and right ends, ``(32,)`` each.
        """
        num_levels = len(_ITERATIONS)
        count = 2 ** (num_levels + 1)
        middles = (length / (count + 1) * (torch.arange(count).double() + 0.5)).trunc()
        ends = torch.stack([middles - segment, middles + segment + 1])  # (left and right, 32)
        ends = ends.expand(2, -1, -1).clone()  # (copy, left and right, 32)
        for level, iterations in enumerate(_ITERATIONS, 1):
            step = 2 ** (num_levels - level)
            nodes = torch.arange(step, count, 2 * step)
            # offsets of the ends from the middles: (left and right, nodes), then for all positions around each node
            offsets = self._refine(network, length, middles[nodes], ends.mean(dim=0)[:, nodes].round(), iterations)
            offsets = (offsets - middles[nodes]).repeat_interleave(2 * step, dim=1)
            self._hand_on(ends, (middles + offsets).trunc(), level, step)
        left, right = ends.mean(dim=0).round()
        return middles, left, right

    def _refine(self, network: StateScores, length: int, middles: Tensor, ends: Tensor, iterations: int) -> Tensor:
        """Correct the ends ``(2, N)`` of the cycles around N middles."""
        for iteration in range(iterations):
            left, right = ends
            scores = self._judge(network, torch.stack([left, middles, right], dim=1))
            scales = self.head.cycle_scales(scores, self.max_log_scale)
            lengths = torch.stack([middles - left + 1, right - middles]) * scales.T
            lengths = lengths.clamp(self.min_segment, length / 2)
            new = torch.stack([middles - lengths[0] + 1, middles + lengths[1]]).trunc()
            kept = torch.stack([middles - new[0] + 1, new[1] - middles]) >= self.min_segment
            mixed = 0.5 * new.where(kept, ends) + 0.5 * ends
            ends = mixed if iteration == iterations - 1 else mixed.round()
        return ends

    @staticmethod
    def _hand_on(ends: Tensor, new: Tensor, level: int, step: int) -> None:
        """Write new ends ``(2, 32)`` into both copies ``(2, 2, 32)``, or each half of a node into one, in place."""
        if level != _SPLIT_LEVEL:
            ends[:] = new
            return
        is_left = torch.arange(ends.shape[2]) % (2 * step) < step
        ends[_COPY_OF_LEFT_HALF, :, is_left] = new[:, is_left]
        ends[_COPY_OF_RIGHT_HALF, :, ~is_left] = new[:, ~is_left]
        ends[:, :, :step], ends[:, :, -step:] = (
            new[:, :step],
            new[:, -step:],
        )  # no neighbour on that side

    @staticmethod
    def _judge(network: StateScores, states: Tensor) -> CycleScores:
        return network(states).double()

    @staticmethod
    def _central_states(segments: Tensor, length: int) -> Tensor:
        middle = torch.full_like(segments, length / 2)
        return torch.stack([middle - segments, middle, middle + segments + 1], dim=1)

    @property
    def _unit_anchor(self) -> int:
        return self.head.anchors.index(1.0)

    def _unit_anchor_lengths(self, segments: Tensor, scores: CycleScores) -> Tensor:
        log_scale = scores.box_left[:, self._unit_anchor].clamp(-self.max_log_scale, self.max_log_scale)
        return segments * log_scale.exp()

    def _allowed(self, lengths: Tensor, length: int) -> Tensor:
        return (lengths >= self.min_segment) & (lengths < length / 2)
