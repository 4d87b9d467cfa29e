"""Heads that turn a loss between videos, or several, into what an algorithm trains."""

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmsigma.models.gta.losses.video_group import VideoGroup
from mmsigma.models.interfaces import AlignmentLoss, GroupHead, build_part
from mmsigma.registry import MODELS


@MODELS.register_module()
class AlignmentHead(BaseModule):
    """Gives the embeddings of videos to a loss; has no parameters.

    Args:
        loss: Config of the loss: ``GTALoss``, ``D2TWLoss``, ``TCCLoss``, ``TCNLoss``, ``D3TWStarLoss``,
            ``SoftDTWLoss`` or ``LAVLoss``.
    """

    def __init__(self, loss: dict | None = None) -> None:
        super().__init__()
        self.loss_module = build_part(loss or dict(type='GTALoss'), AlignmentLoss, 'model.head.loss')
        self.interleaved = self.loss_module.interleaved

    def loss(self, videos: VideoGroup) -> dict[str, Tensor]:
        """Terms of the loss, whose names begin with ``loss_``; others are for the log only.

        Raises:
            ValueError: If frames are not in the order of time or, if the loss needs positives, not followed by them.
        """
        videos.check_order(self.interleaved)
        return self.loss_module(videos)


@MODELS.register_module()
class CombinedHead(BaseModule):
    """A weighted sum of heads (TCC's release: alignment, Shuffle and Learn, and TCN, 0.33, 0.33 and 0.34).

    Args:
        heads: Their configs.
        weights: One for each.
        interleaved: Whether frames come as anchor, positive, anchor, positive. Heads that have no use for the positives
            are given every second frame.

    Raises:
        ValueError: If there is not one weight for each head, or some heads need positives and none come.
    """

    def __init__(self, heads: Sequence[dict], weights: Sequence[float], interleaved: bool | None = None) -> None:
        super().__init__()
        if not heads or len(heads) != len(weights):
            raise ValueError(f'{len(heads)} heads and {len(weights)} weights: one weight for each head is needed')
        self.heads = nn.ModuleList(
            build_part(head, GroupHead, f'model.head.heads.{number}') for number, head in enumerate(heads)
        )
        self.weights = tuple(weights)
        needed = any(head.interleaved for head in self.heads)
        self.interleaved: bool = needed if interleaved is None else interleaved
        if needed and not self.interleaved:
            raise ValueError('some heads need frames interleaved with positives: interleaved must not be False')

    def loss(self, videos: VideoGroup) -> dict[str, Tensor]:
        """Terms of all heads, numbered where two have the same name, those of the loss times the weight of the head.

        Raises:
            ValueError: If frames are not as :attr:`interleaved` says.
        """
        videos.check_order(self.interleaved)
        anchors = _anchors(videos) if self.interleaved else videos
        terms: dict[str, Tensor] = {}
        for number, (head, weight) in enumerate(zip(self.heads, self.weights, strict=True)):
            given = videos if head.interleaved else anchors
            for name, value in head.loss(given).items():
                name = name if name not in terms else f'{name}_{number}'
                terms[name] = weight * value if name.startswith('loss') else value
        return terms


def _anchors(videos: VideoGroup) -> VideoGroup:
    """Every second frame."""
    lengths, steps = videos.lengths, videos.steps
    if steps is None:
        batch, rows = videos.embeddings.shape[:2]
        steps = torch.arange(rows, device=videos.embeddings.device).expand(batch, -1) // 2
    return videos._replace(
        embeddings=videos.embeddings[:, ::2],
        lengths=None if lengths is None else (lengths + 1) // 2,
        steps=steps[:, ::2],
    )
