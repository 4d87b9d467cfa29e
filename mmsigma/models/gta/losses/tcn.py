"""Single-view time-contrastive learning (TCN, ICRA 2018), with the n-pairs loss of the TCC release."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmsigma.models.gta.losses.video_group import VideoGroup
from mmsigma.ops.precision import full_float32
from mmsigma.registry import MODELS

TCNKind = Literal['n_pairs', 'triplet']


def n_pairs_loss(anchors: Tensor, positives: Tensor, lengths: Tensor, reg_lambda: float = 0.002) -> Tensor:
    """Classify each anchor among the positives of its video, with a penalty on the norms.

    Args:
        anchors: Embeddings of the anchors, ``(B, T, D)``.
        positives: Embeddings of a frame near each anchor, ``(B, T, D)``.
        lengths: Numbers of anchors of the videos, ``(B,)``.
        reg_lambda: Weight of the penalty, which is a quarter of the squared norms of anchor and positive.

    Returns:
        Mean over the frames of a video, then over videos, a scalar.
    """
    valid = torch.arange(anchors.shape[1], device=anchors.device) < lengths[:, None]
    with full_float32(anchors.device.type):
        logits = (anchors @ positives.transpose(1, 2)).masked_fill(~valid[:, None], -torch.inf)
    classified = -logits.log_softmax(dim=2).diagonal(dim1=1, dim2=2)
    norms = anchors.square().sum(dim=2) + positives.square().sum(dim=2)
    losses = classified + 0.25 * reg_lambda * norms
    return (losses.masked_fill(~valid, 0).sum(dim=1) / lengths).mean()


def triplet_loss(anchors: Tensor, positives: Tensor, lengths: Tensor, margin: float = 0.2) -> Tensor:
    """Penalise positives that are not nearer, by a margin, than the nearest other positive (the loss of TCN).

    Args:
        anchors: Embeddings of the anchors, ``(B, T, D)``.
        positives: Embeddings of a frame near each anchor, ``(B, T, D)``.
        lengths: Numbers of anchors of the videos, ``(B,)``.
        margin: Margin of the squared distances.

    Returns:
        Mean over the frames of videos with more than one anchor, a scalar; 0 if there is none.
    """
    valid = torch.arange(anchors.shape[1], device=anchors.device) < lengths[:, None]
    distances = torch.cdist(anchors, positives, compute_mode='donot_use_mm_for_euclid_dist').square()
    same = torch.eye(anchors.shape[1], dtype=torch.bool, device=anchors.device)
    others = distances.masked_fill(same | ~valid[:, None], torch.inf).amin(dim=2)
    losses = F.relu(
        distances.diagonal(dim1=1, dim2=2) - others + margin
    )  # without another positive, `others` is inf and the loss 0
    count = (valid & (lengths > 1)[:, None]).sum().clamp(min=1)
    return losses.masked_fill(~valid, 0).sum() / count


@MODELS.register_module()
class TCNLoss(nn.Module):
    """Time-contrastive loss of videos whose frames alternate between anchors and their positives (TCN).

    Args:
        kind: ``'n_pairs'`` (release of TCC) or ``'triplet'`` (TCN).
        reg_lambda: Weight of the penalty on the norms; see :func:`n_pairs_loss`.
        margin: Margin of the triplet loss; see :func:`triplet_loss`.

    Raises:
        ValueError: If ``kind`` is unknown.
    """

    interleaved = True

    def __init__(self, kind: TCNKind = 'n_pairs', reg_lambda: float = 0.002, margin: float = 0.2) -> None:
        super().__init__()
        if kind not in ('n_pairs', 'triplet'):
            raise ValueError(f"kind must be 'n_pairs' or 'triplet', got {kind!r}")
        self.kind, self.reg_lambda, self.margin = kind, reg_lambda, margin

    def forward(self, videos: VideoGroup) -> dict[str, Tensor]:
        """Compute ``loss_tcn``.

        Args:
            videos: Embeddings ``(B, 2 T, D)``, whose lengths count anchors and positives.

        Raises:
            ValueError: If a number of frames is odd.
        """
        given = videos.complete(at_least=1)
        if given.embeddings.shape[1] % 2 or (given.lengths % 2).any():
            raise ValueError(f'rows must be pairs of an anchor and a positive, got {given.lengths.tolist()} rows')
        anchors, positives, lengths = given.embeddings[:, ::2], given.embeddings[:, 1::2], given.lengths // 2
        if self.kind == 'triplet':
            return {'loss_tcn': triplet_loss(anchors, positives, lengths, self.margin)}
        return {'loss_tcn': n_pairs_loss(anchors, positives, lengths, self.reg_lambda)}
