"""Head that classifies frames and learns from the order of a video's labels alone (D3TW, CVPR 2019)."""

from typing import Any

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmsigma.models.gta.losses.d3tw import (
    MARGIN_FUNCTIONS,
    NEGATIVES,
    MarginFunction,
    NegativeKind,
    discriminative_loss,
    draw_negatives,
    transcript_cost,
)
from mmsigma.models.gta.losses.video_group import VideoGroup
from mmsigma.registry import MODELS


@MODELS.register_module()
class TranscriptHead(BaseModule):
    """Head whose frames fit the transcript of their video, its labels in order, better than a wrong transcript (D3TW).

    Supervision is weak: the labels and their order are known, but not their times. An alignment passes through every
    label, even if no frame of it was sampled.

    Args:
        num_labels: Number C of labels of all actions together.
        in_channels: Number D of channels of the embeddings.
        negatives: Kind of the wrong transcripts, ``'shuffled'`` or ``'random'``; see
            :func:`~mmsigma.models.gta.losses.d3tw.draw_negatives`.
        gamma: Temperature of the soft minimum.
        function: Function of the difference of costs, ``'hinge'`` or ``'softplus'``; see
            :func:`~mmsigma.models.gta.losses.d3tw.discriminative_loss`.
        margin: Margin of the hinge between costs, which are sums over frames.
        init_cfg: Config of MMEngine's weight initialisation.

    Raises:
        ValueError: If an argument is out of range.
    """

    interleaved = False

    def __init__(
        self,
        num_labels: int,
        in_channels: int = 128,
        *,
        negatives: NegativeKind = 'shuffled',
        gamma: float = 0.1,
        function: MarginFunction = 'hinge',
        margin: float = 1.0,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if negatives not in NEGATIVES or function not in MARGIN_FUNCTIONS:
            raise ValueError(
                f'negatives must be one of {NEGATIVES} and function one of {MARGIN_FUNCTIONS}, '
                f'got {negatives!r} and {function!r}'
            )
        if num_labels < 2 or not (gamma > 0 and margin >= 0):
            raise ValueError(
                'there must be two labels or more, gamma be positive and margin not negative, '
                f'got {num_labels=}, {gamma=}, {margin=}'
            )
        self.fc = nn.Linear(in_channels, num_labels)
        self.negatives, self.gamma, self.function, self.margin = negatives, gamma, function, margin

    def forward(self, embeddings: Tensor) -> Tensor:
        """Compute log probabilities of labels, ``(..., C)``, from embeddings ``(..., D)``."""
        log_probs: Tensor = self.fc(embeddings).log_softmax(dim=-1)
        return log_probs

    def loss(self, videos: VideoGroup, negatives: list[Tensor] | None = None) -> dict[str, Tensor]:
        """Compute the loss and statistics.

        Args:
            videos: Embeddings ``(B, T, D)`` and transcripts.
            negatives: Wrong transcripts of any length, one per video; None to draw them.

        Returns:
            ``loss_transcript``, both mean costs, and ``transcript_accuracy``, the share of videos that fit their
            transcript better than the wrong one.

        Raises:
            ValueError: If a video has no transcript, more labels than frames, labels beyond C, or frames that are not
                in temporal order; the message names it.
        """
        videos.check_order()
        given = videos.complete(at_least=1)
        transcripts = self._checked(videos, given.lengths.tolist())
        if negatives is None:
            negatives = draw_negatives(transcripts, self.fc.out_features, self.negatives)
        log_probs, both = self(given.embeddings), [*transcripts, *negatives]
        costs = transcript_cost(log_probs.repeat(2, 1, 1), both, given.lengths.repeat(2), self.gamma)
        positive, negative = costs.chunk(2)
        return {
            'loss_transcript': discriminative_loss(positive, negative, self.function, self.margin),
            'cost_positive': positive.detach().mean(),
            'cost_negative': negative.detach().mean(),
            'transcript_accuracy': (positive < negative).float().mean(),
        }

    def _checked(self, videos: VideoGroup, lengths: list[int]) -> list[Tensor]:
        """Check the transcripts and return them on the CPU; see :meth:`loss` for the errors."""
        found, transcripts = [], videos.transcripts or [None] * len(lengths)
        for number, (labels, length) in enumerate(zip(transcripts, lengths, strict=True)):
            name = videos.name_of(number)
            if labels is None or not len(labels):
                raise ValueError(
                    f'{name} has no transcript, the order of its labels: give the training dataset phases, and leave '
                    'out videos that have none'
                )
            if len(labels) > length:
                raise ValueError(
                    f'{name} has {len(labels)} labels in its transcript and {length} frames: raise num_steps to '
                    f'{len(labels)} or more'
                )
            found.append(labels.cpu())
            low, high = int(found[-1].min()), int(found[-1].max())
            if low < 0 or high >= self.fc.out_features:
                raise ValueError(
                    f'{name} has labels from {low} to {high} in its transcript: raise num_labels, which is '
                    f'{self.fc.out_features}'
                )
        return found
