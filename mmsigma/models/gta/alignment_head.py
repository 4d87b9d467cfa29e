"""Heads of GTA (CVPR 2021) that wrap a loss between videos, or combine several heads."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmsigma.models.gta.losses.video_group import VideoGroup
from mmsigma.models.interfaces import AlignmentLoss, GroupHead
from mmsigma.models.parts import build_part
from mmsigma.registry import MODELS


@MODELS.register_module()
class AlignmentHead(BaseModule):
    """Head without parameters that passes the embeddings of videos to a loss.

    Args:
        loss: Config of the loss: ``GTALoss`` (the default), ``D2TWLoss``, ``TCCLoss``, ``TCNLoss``,
            ``D3TWStarLoss``, ``SoftDTWLoss`` or ``LAVLoss``.

    Raises:
        PartError: If the loss does not satisfy :class:`mmsigma.models.interfaces.AlignmentLoss`.
    """

    def __init__(self, loss: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.loss_module = build_part(loss or dict(type='GTALoss'), AlignmentLoss, 'model.head.loss')
        self.interleaved = self.loss_module.interleaved

    def loss(self, videos: VideoGroup) -> dict[str, Tensor]:
        """Compute the terms of the loss, whose names begin with ``loss_``, and statistics for the log.

        Raises:
            ValueError: If frames are not in temporal order or, for a loss that needs positives, do not alternate
                between anchors and positives.
        """
        videos.check_order(self.interleaved)
        return self.loss_module(videos)


@MODELS.register_module()
class CombinedHead(BaseModule):
    """Weighted sum of heads (release of TCC: alignment, Shuffle and Learn, and TCN with 0.33, 0.33 and 0.34).

    Args:
        heads: Configs of the heads.
        weights: Weight of the losses of each head.
        interleaved: Whether frames alternate between anchors and positives. Heads without a use for positives then get
            every second frame. None for True if any head needs positives.

    Raises:
        PartError: If a head does not satisfy :class:`mmsigma.models.interfaces.GroupHead`.
        ValueError: If there is not one weight for each head, or if a head needs positives and ``interleaved`` is False.
    """

    heads: Iterable[GroupHead]

    def __init__(
        self, heads: Sequence[dict[str, Any]], weights: Sequence[float], interleaved: bool | None = None
    ) -> None:
        super().__init__()
        if not heads or len(heads) != len(weights):
            raise ValueError(f'{len(heads)} heads and {len(weights)} weights: one weight for each head is needed')
        self.heads = nn.ModuleList(  # type: ignore[assignment]  # of modules that are GroupHeads
            build_part(head, GroupHead, f'model.head.heads.{number}')  # type: ignore[misc]  # a GroupHead is a module
            for number, head in enumerate(heads)
        )
        self.weights = tuple(weights)
        needed = any(head.interleaved for head in self.heads)
        self.interleaved: bool = needed if interleaved is None else interleaved
        if needed and not self.interleaved:
            raise ValueError('some heads need frames interleaved with positives: interleaved must not be False')

    def loss(self, videos: VideoGroup) -> dict[str, Tensor]:
        """Compute the terms of all heads, with those of the loss multiplied by the weight of their head.

        A name that an earlier head has used gets the number of its head appended.

        Raises:
            ValueError: If the order of the frames is not that of :attr:`interleaved`.
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
    """Keep the anchors of interleaved frames, which is every second frame."""
    lengths, steps = videos.lengths, videos.steps
    if steps is None:
        batch, rows = videos.embeddings.shape[:2]
        steps = torch.arange(rows, device=videos.embeddings.device).expand(batch, -1) // 2
    return videos._replace(
        embeddings=videos.embeddings[:, ::2],
        lengths=None if lengths is None else (lengths + 1) // 2,
        steps=steps[:, ::2],
    )
