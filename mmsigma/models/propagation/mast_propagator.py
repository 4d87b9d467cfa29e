"""Label propagation with the two-component memory of MAST (CVPR 2020): lasting frames and recent frames."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from mmsigma.models.propagation.context_propagator import check_frame
from mmsigma.ops.memory_windows import propagate_windows
from mmsigma.registry import MODELS


@MODELS.register_module()
class MASTPropagator:
    """Propagates hard labels with the two-component memory of MAST (Lai, Lu and Xie 2020).

    A propagator is for one video, with one ``step`` per frame. The memory consists of lasting frames and of recent ones
    before the current frame. Objects that are given later have their own lasting frames, counted from the frame in
    which they are given. Earlier frames, in which they would be background, are not searched for them, and their
    predictions take precedence over those of earlier objects. This is our extension: in the paper, all objects are
    given in the first frame.

    Args:
        lasting: Numbers of the frames that stay in memory; the first frame, 0, always does.
        recent: Distances of the recent frames from the current one, in frames.
        radius: Half-width of the square windows in cells.
        near: Largest distance in frames up to which windows are centred on the position of the cell itself.
        max_dilation: Largest dilation of the search for windows in frames that are farther away.
        stride: Side of a cell in pixels. As in the release, the labels in memory are the arg-max at full resolution at
            every ``stride``-th pixel, which differs from the arg-max of the cell, as the centre of a cell is elsewhere;
            1 for the arg-max of the cell.

    Raises:
        ValueError: If ``recent`` is empty or has a number below 1, or another argument is not positive.
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
        self.settings: dict[str, Any] = dict(radius=radius, near=near, max_dilation=max_dilation)
        self.frame = 0
        self.streams: list[tuple[int, Tensor]] = []  # first frame, and (V,), 1 for the channels that it predicts
        self._memory: dict[int, tuple[Tensor, Tensor]] = {}  # features (h, w, C) and labels (h, w, V) by frame

    def step(self, features: Tensor, given: Tensor | None = None) -> Tensor:
        """Predict the labels of the next frame.

        Args:
            features: Features of the frame, ``(h, w, C)``.
            given: Labels given in the frame, ``(h, w, V)``, with the background as channel 0; required in the first
                frame, and passed in later ones where objects appear. In these, channel 0 is ignored, and there may be
                more channels than before.

        Returns:
            Soft labels ``(h, w, V)``; those of the first frame are the given ones.

        Raises:
            ValueError: If the first frame has no labels, shapes change, or features are not finite.
        """
        check_frame(self.frame, features, self._memory[0][0] if self._memory else None, given)
        if not self._memory:
            assert given is not None  # checked
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
        """Begin a stream for the objects in labels ``(h, w, V)``, and add their channels to all labels in memory."""
        present = (labels.flatten(0, 1).amax(dim=0) > 0).to(labels.dtype)
        present[0] = not self.streams
        self.streams = [(start, _widen(old, present)) for start, old in self.streams]
        self.streams.append((self.frame, present))
        self._memory = {frame: (known, _widen(old, present)) for frame, (known, old) in self._memory.items()}

    def _predict(self, features: Tensor, start: int) -> Tensor:
        wanted = {start + number for number in self.lasting} | {self.frame - back for back in self.recent}
        frames = sorted(frame for frame in self._memory if frame in wanted and frame >= start)  # each frame once
        memory, labels = (torch.stack([self._memory[frame][side] for frame in frames]) for side in (0, 1))
        return propagate_windows(features, memory, labels, [self.frame - frame for frame in frames], **self.settings)

    def _hardened(self, labels: Tensor) -> Tensor:
        maps = labels.movedim(-1, 0)[None]  # (1, V, h, w)
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
    """Let new labels ``(h, w, V')`` take precedence over labels ``(h, w, V)``."""
    return (1 - new.sum(dim=-1, keepdim=True)) * _widen(labels, new) + new


def _widen(labels: Tensor, other: Tensor) -> Tensor:
    """Pad the channels of labels ``(..., V)`` to the number of those of ``other``, if it has more."""
    return F.pad(labels, (0, max(other.shape[-1] - labels.shape[-1], 0)))
