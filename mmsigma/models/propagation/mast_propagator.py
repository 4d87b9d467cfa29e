"""Labels carried through a video from a few frames that are kept for good and a few recent ones (MAST)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from mmsigma.models.propagation.context_propagator import check_frame
from mmsigma.ops.memory_windows import propagate_windows
from mmsigma.registry import MODELS


@MODELS.register_module()
class MASTPropagator:
    """Propagates hard labels with the two-component memory of MAST (Lai, Lu and Xie 2020).

    Used as :class:`mmsigma.models.propagation.context_propagator.ContextPropagator` is: once per video, a ``step`` per
    frame. Memory holds the frames ``lasting`` and ``recent`` before the present one. Objects that are given later have
    lasting frames of their own, counted from there, and are not looked for in frames before, which would call them
    background; what they are predicted to be lies over what the earlier ones are. That is a decision of ours: the paper
    has all objects in the first frame.

    Args:
        lasting: Numbers of the frames that are kept for good; the first one is, in any case.
        recent: How many frames before the present one the others are.
        radius: Half-width of the square windows in cells.
        near: In frames up to so far away, windows are around the cell's own place.
        max_dilation: Of the search for windows in the other frames.
        stride: Side of a cell in pixels. Fed back is the arg-max at full resolution at every ``stride``-th pixel, as
            in the release, which is not that of the cell, whose centre lies elsewhere; 1 for that of the cell.

    Raises:
        ValueError: If ``recent`` has no frame or one that is not before the present one, or a number is not positive.
    """

    def __init__(
        self,
        lasting: Sequence[int] = (0, 5),
        recent: Sequence[int] = (1, 3, 5),
        *,
        radius: int = 12,
        near: int = 15,
        max_dilation: int = 4,
        stride: int = 4,
    ) -> None:
        if not recent or min(recent) < 1:
            raise ValueError(f'recent must be numbers of frames back, 1 or more, got {tuple(recent)}')
        for name, value in dict(radius=radius, near=near, max_dilation=max_dilation, stride=stride).items():
            if value < 1:
                raise ValueError(f'{name} must be positive, got {value}')
        self.lasting, self.recent, self.stride = {0, *lasting}, tuple(recent), stride
        self.settings = dict(radius=radius, near=near, max_dilation=max_dilation)
        self.frame = 0
        self.streams: list[tuple[int, Tensor]] = []  # where it begins, and (V,), 1 for the channels that it predicts
        self._memory: dict[int, tuple[Tensor, Tensor]] = {}  # features (h, w, C) and labels (h, w, V) by frame

    def step(self, features: Tensor, given: Tensor | None = None) -> Tensor:
        """Labels of the next frame.

        Args:
            features: (h, w, C).
            given: Labels given in this frame (h, w, V), channel 0 the background; needed in the first frame, and in
                later ones where objects appear. There, channel 0 is ignored, and there may be more channels than
                before.

        Returns:
            Soft labels (h, w, V); the first frame's are those given.

        Raises:
            ValueError: If the first frame has no labels, shapes change, or features are not finite.
        """
        check_frame(self.frame, features, self._memory[0][0] if self._memory else None, given)
        if not self._memory:
            self._begin(given)
            self._remember(features, given)
            return given
        labels = torch.zeros_like(self._memory[0][1])
        for start, present in self.streams:
            labels = _lay_over(labels, self._predict(features, start) * present)
        kept = self._hardened(labels)
        if given is not None:
            new = torch.cat([torch.zeros_like(given[..., :1]), given[..., 1:]], dim=-1)
            labels, kept = _lay_over(labels, new), _lay_over(kept, new)
            self._begin(new)
        self._remember(features, kept)
        return labels

    def _begin(self, labels: Tensor) -> None:
        """Objects that are given together are predicted together, from the frame they are given in."""
        present = (labels.flatten(0, 1).amax(dim=0) > 0).to(labels.dtype)
        present[0] = not self.streams
        self.streams = [(start, _widen(old, present)) for start, old in self.streams]
        self.streams.append((self.frame, present))
        self._memory = {frame: (known, _widen(old, present)) for frame, (known, old) in self._memory.items()}

    def _predict(self, features: Tensor, start: int) -> Tensor:
        wanted = {start + number for number in self.lasting} | {self.frame - back for back in self.recent}
        frames = sorted(frame for frame in self._memory if frame in wanted and frame >= start)  # each of them once
        memory, labels = (torch.stack([self._memory[frame][side] for frame in frames]) for side in (0, 1))
        return propagate_windows(features, memory, labels, [self.frame - frame for frame in frames], **self.settings)

    def _hardened(self, labels: Tensor) -> Tensor:
        maps = labels.movedim(-1, 0)[None]
        size = [side * self.stride for side in maps.shape[-2:]]
        maps = F.interpolate(maps, size=size, mode='bilinear', align_corners=False)
        best = maps[0, :, :: self.stride, :: self.stride].argmax(dim=0)
        return F.one_hot(best, labels.shape[-1]).to(labels.dtype)

    def _remember(self, features: Tensor, labels: Tensor) -> None:
        self._memory[self.frame] = (features, labels)
        self.frame += 1
        oldest = self.frame - max(self.recent)
        lasting = {start + number for start, _ in self.streams for number in self.lasting}
        self._memory = {frame: kept for frame, kept in self._memory.items() if frame >= oldest or frame in lasting}


def _lay_over(labels: Tensor, new: Tensor) -> Tensor:
    """Labels (h, w, V) where there are no new ones (h, w, V')."""
    return (1 - new.sum(dim=-1, keepdim=True)) * _widen(labels, new) + new


def _widen(labels: Tensor, other: Tensor) -> Tensor:
    """Labels (..., V) with as many channels as others, never fewer than before."""
    return F.pad(labels, (0, max(other.shape[-1] - labels.shape[-1], 0)))
