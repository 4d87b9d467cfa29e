"""Labels carried through a video by the similarity of features. The state is here, the network elsewhere."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mmsigma.ops.affinity import propagate, topk_affinity
from mmsigma.registry import MODELS


class _Stream(NamedTuple):
    """Objects that were given together: the frame they were given in is never forgotten."""

    start: int
    features: Tensor  # (h, w, C)
    labels: Tensor  # (h, w, V)
    present: Tensor  # (V,), 1 for the channels this stream predicts


@MODELS.register_module()
class ContextPropagator:
    """Propagates soft labels frame by frame from the frame they are given in and the last ``num_context`` frames.

    Used once per video: ``step`` takes the features of the next frame and returns its labels. Memory does not grow with
    the length of the video. Objects may be given in any frame (YouTube-VOS): each appearance begins a stream with a
    context of its own, a stream predicts the channels that were given with it, background is the first one's, and the
    streams' predictions are added.

    Args:
        num_context: Frames before the current one to look at.
        k: Cells to copy from.
        temperature: Divides the similarities.
        similarity: ``'cosine'`` of the features, ``'dot'`` product, or ``'euclidean'``: the negative squared distance.
        radius: Half-width of the window in cells; see :func:`mmsigma.ops.affinity.topk_affinity`.
        window: ``'circle'`` or ``'square'``.
        first_is_free: The frame in which labels were given has no window.
        repeat_first: As long as there are fewer than ``num_context`` frames, repeat the first one instead, as the
            published protocols do; False looks at every frame once.
    """

    def __init__(
        self,
        num_context: int = 20,
        *,
        k: int = 10,
        temperature: float = 0.05,
        similarity: str = 'cosine',
        radius: float | None = 12,
        window: str = 'circle',
        first_is_free: bool = True,
        repeat_first: bool = True,
    ) -> None:
        if num_context < 1:
            raise ValueError(f'num_context must be positive, got {num_context}')
        if similarity not in ('cosine', 'dot', 'euclidean'):
            raise ValueError(f"similarity must be 'cosine', 'dot' or 'euclidean', got {similarity!r}")
        self.similarity = similarity
        self.num_context, self.repeat_first = num_context, repeat_first
        self.settings = dict(k=k, temperature=temperature, radius=radius, window=window, num_free=int(first_is_free))
        self.streams: list[_Stream] = []
        self.frame = 0
        # slot 0 is the first frame; the others form a ring
        self._features = self._labels = torch.empty(0)

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
        query, key = self._query_and_key(features)
        check_frame(self.frame, key, self._features[0] if self.streams else None, given)
        if not self.streams:
            self._begin(key, given)
            return given
        if given is not None:
            self._widen(given.shape[-1])
        labels = torch.stack([self._predict(stream, query) * stream.present for stream in self.streams]).sum(dim=0)
        if given is not None:
            new = torch.cat([torch.zeros_like(given[..., :1]), given[..., 1:]], dim=-1)
            share = new.sum(dim=-1, keepdim=True)
            labels = (1 - share) * labels + share * new
            self.streams.append(_Stream(self.frame, key, labels, _present(new)))
        self._remember(key, labels)
        return labels

    def _query_and_key(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """What is compared by dot product: a frame as the present one, and as one in memory."""
        if self.similarity == 'cosine':
            features = F.normalize(features, dim=-1)
        if self.similarity != 'euclidean':
            return features, features
        # 2 q.m - m.m is the negative squared distance but for q.q, which is the same for all of a query's choices
        squares = features.square().sum(dim=-1, keepdim=True)
        return torch.cat([2 * features, torch.ones_like(squares)], -1), torch.cat([features, -squares], -1)

    def _widen(self, num_channels: int) -> None:
        """Make room for labels that were not there before."""
        extra = num_channels - self._labels.shape[-1]
        if extra > 0:
            self._labels = F.pad(self._labels, (0, extra))
            self.streams = [
                stream._replace(labels=F.pad(stream.labels, (0, extra)), present=F.pad(stream.present, (0, extra)))
                for stream in self.streams
            ]

    def _begin(self, features: Tensor, labels: Tensor) -> None:
        present = _present(labels)
        present[0] = 1
        self.streams.append(_Stream(0, features, labels, present))
        slots = self.num_context + 1
        self._features = features.expand(slots, *features.shape).clone()
        self._labels = labels.expand(slots, *labels.shape).clone()
        self.frame = 1

    def _remember(self, features: Tensor, labels: Tensor) -> None:
        slot = self._slot(self.frame)
        self._features[slot], self._labels[slot] = features, labels
        self.frame += 1

    def _slot(self, frame: int) -> int:
        return 1 + (frame - 1) % self.num_context

    def _predict(self, stream: _Stream, features: Tensor) -> Tensor:
        memory, labels = self._features, self._labels
        if stream.start:
            memory, labels = self._context_since(stream)
        elif not self.repeat_first:
            known = min(self.frame, self.num_context + 1)
            memory, labels = memory[:known], labels[:known]
        return propagate(topk_affinity(features, memory, **self.settings), labels)

    def _context_since(self, stream: _Stream) -> tuple[Tensor, Tensor]:
        """The memory of a later stream: what came before it is replaced by its first frame."""
        known = range(max(stream.start, self.frame - self.num_context), self.frame)
        slots = torch.tensor([self._slot(frame) for frame in known])
        repeats = self.num_context - len(known) if self.repeat_first else 0
        first = [(stream.features, stream.labels)] * (1 + repeats)
        memory = torch.cat([torch.stack([pair[0] for pair in first]), self._features[slots]])
        labels = torch.cat([torch.stack([pair[1] for pair in first]), self._labels[slots]])
        return memory, labels


def check_frame(number: int, features: Tensor, known: Tensor | None, given: Tensor | None) -> None:
    """Check what a propagator is given.

    Args:
        number: Of the frame.
        features: Its own.
        known: Those of another frame; None before the first one.
        given: Labels given in it.

    Raises:
        ValueError: If the first frame has no labels, shapes change, or features are not finite.
    """
    if not features.isfinite().all():
        raise ValueError(f'the features of frame {number} are not finite')
    if known is None and given is None:
        raise ValueError('the first frame needs labels')
    if known is not None and features.shape != known.shape:
        raise ValueError(f'features {tuple(features.shape)} after {tuple(known.shape)}')


def _present(labels: Tensor) -> Tensor:
    return (labels.flatten(0, 1).amax(dim=0) > 0).to(labels.dtype)
