"""Label propagation from context frames (CRW, DUL, DINO): the memory and its state, without the network."""

from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mmsigma.ops.affinity import Window, propagate, topk_affinity
from mmsigma.registry import MODELS

Similarity = Literal['cosine', 'dot', 'euclidean']


class _Stream(NamedTuple):
    """Objects that were given in the same frame, which stays in memory."""

    start: int
    features: Tensor  # (h, w, C)
    labels: Tensor  # (h, w, V)
    present: Tensor  # (V,), 1 for the channels that this stream predicts


@MODELS.register_module()
class ContextPropagator:
    """Propagates soft labels from the frame in which they were given and from the last ``num_context`` frames.

    A propagator is for one video; ``step`` takes the features of the next frame and returns its labels. Memory does not
    grow with the length of the video. Objects may be given in any frame (YouTube-VOS): each such frame begins a stream
    with its own context, which predicts the channels of the objects given in it. Background is predicted by the first
    stream, and the predictions of all streams are added.

    Args:
        num_context: Number of context frames before the current one.
        k: Number of memory cells to copy from.
        temperature: Divisor of the similarities.
        similarity: Similarity of features: ``'cosine'``, ``'dot'`` product, or ``'euclidean'``, which is the negative
            squared distance.
        radius: Half-width of the window in cells, None for no window; see
            :func:`mmsigma.ops.affinity.topk_affinity`.
        window: Shape of the window, ``'circle'`` or ``'square'``.
        first_is_free: Whether the frame in which labels were given has no window.
        repeat_first: Whether to repeat the first frame as long as there are fewer than ``num_context`` frames, as in
            the published protocols; otherwise every frame is used once.

    Raises:
        ValueError: If ``num_context`` is not positive, or ``similarity`` is unknown.
    """

    def __init__(
        self,
        num_context: int = 20,
        *,
        k: int = 10,
        temperature: float = 0.05,
        similarity: Similarity = 'cosine',
        radius: float | None = 12,
        window: Window = 'circle',
        first_is_free: bool = True,
        repeat_first: bool = True,
    ) -> None:
        if num_context < 1:
            raise ValueError(f'num_context must be positive, got {num_context}')
        if similarity not in ('cosine', 'dot', 'euclidean'):
            raise ValueError(f"similarity must be 'cosine', 'dot' or 'euclidean', got {similarity!r}")
        self.similarity = similarity
        self.num_context, self.repeat_first = num_context, repeat_first
        self.settings: dict[str, Any] = dict(
            k=k, temperature=temperature, radius=radius, window=window, num_free=int(first_is_free)
        )
        self.streams: list[_Stream] = []
        self.frame = 0
        # features (S, h, w, C) and labels (S, h, w, V); slot 0 is the first frame, the others form a ring buffer
        self._features = self._labels = torch.empty(0)

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
        query, key = self._query_and_key(features)
        check_frame(self.frame, key, self._features[0] if self.streams else None, given)
        if not self.streams:
            assert given is not None  # checked
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
        """Return vectors whose dot product is the similarity: those of the current frame and those for the memory."""
        if self.similarity == 'cosine':
            features = F.normalize(features, dim=-1)
        if self.similarity != 'euclidean':
            return features, features
        # 2 q.m - m.m is the negative squared distance except for -q.q, which is the same for all cells in memory
        squares = features.square().sum(dim=-1, keepdim=True)
        return torch.cat([2 * features, torch.ones_like(squares)], -1), torch.cat([features, -squares], -1)

    def _widen(self, num_channels: int) -> None:
        """Add channels for new objects to all labels in memory."""
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
        """Return features and labels in memory for a later stream, with its first frame in place of earlier ones."""
        known = range(max(stream.start, self.frame - self.num_context), self.frame)
        slots = torch.tensor([self._slot(frame) for frame in known])
        repeats = self.num_context - len(known) if self.repeat_first else 0
        first = [(stream.features, stream.labels)] * (1 + repeats)
        memory = torch.cat([torch.stack([pair[0] for pair in first]), self._features[slots]])
        labels = torch.cat([torch.stack([pair[1] for pair in first]), self._labels[slots]])
        return memory, labels


def check_frame(number: int, features: Tensor, known: Tensor | None, given: Tensor | None) -> None:
    """Check the inputs of a propagator for one frame.

    Args:
        number: Number of the frame.
        features: Features of the frame.
        known: Features of an earlier frame; None for the first frame.
        given: Labels given in the frame; None if there are none.

    Raises:
        ValueError: If the first frame has no labels, shapes change, or features are not finite.
    """
    if not features.isfinite().all():
        raise ValueError(f'the features of frame {number} are not finite')
    if known is None and given is None:
        raise ValueError('the first frame needs labels')
    if known is not None and features.shape != known.shape:
        raise ValueError(f'features {tuple(features.shape)} after {tuple(known.shape)}: all frames must have one size')


def _present(labels: Tensor) -> Tensor:
    return (labels.flatten(0, 1).amax(dim=0) > 0).to(labels.dtype)
