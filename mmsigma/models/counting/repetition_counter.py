"""Repetition counting with a video transformer (Zhang et al., CVPR 2020; SEVERE benchmark)."""

from typing import Any

import torch
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from mmsigma.models.counting.coarse_to_fine import CoarseToFineCounter
from mmsigma.models.counting.counting_head import CycleScores
from mmsigma.models.counting.inner_steps import run_inner_steps
from mmsigma.models.counting.state_walk import StateWalk, segment_lengths
from mmsigma.models.interfaces import ClipEncoder
from mmsigma.models.parts import build_part
from mmsigma.ops.repetition import REFERENCE_PADDING, fill_missing, gather_window, labels_at, window_indices
from mmsigma.registry import MODELS

# clamp of predicted log scales in training (SEVERE), which is wider than that of inference
_MAX_LOG_SCALE = 2.0


@MODELS.register_module(name=['RepetitionCounter', 'RepetitionCountingModel'])
class RepetitionCountingModel(BaseModel):
    """Context-aware repetition counting (Zhang et al., CVPR 2020), as the SEVERE benchmark trains it on UCFRep.

    Configs call it ``RepetitionCounter``.

    ::

        windows = 16 + 16 frames of states (left, middle, right)      (B, C, 32, H, W)
        scores  = head(norm(mean over tokens of backbone(windows)))
        losses  = head.loss(scores, labels at the middle)
        states  = walk.advance(states, scales predicted by scores)

    A batch holds whole sub-segments of videos with their labels. ``num_steps`` updates are made on it, along a walk
    that is steered by the predictions, so that the network learns to correct its own errors. Several updates also
    amortise decoding, as the whole sub-segment has to be decoded for any state. ``num_steps=1`` only trains on random
    starts. Several processes need ``model_wrapper_cfg=dict(type='InnerStepsDistributedDataParallel')``.

    Args:
        backbone: Config of the video transformer, for 32 frames.
        head: Config of the head; its channels follow from the backbone.
        data_preprocessor: Config of the data preprocessor, ``RaggedVideoPreprocessor`` by default.
        pool_norm: Whether to normalise the mean token, as fine-tuning for classification does.
        num_steps: Number of updates per batch (SEVERE: up to 11).
        walk: Arguments of :class:`mmsigma.models.counting.state_walk.StateWalk`.
        inference: Arguments of :class:`mmsigma.models.counting.coarse_to_fine.CoarseToFineCounter`.
        reference_padding: Whether to fill frames outside the video as SEVERE does, with 0.485, 0.456, 0.406 after
            normalisation, instead of with the mean colour.
        max_windows: Largest number of windows in one forward pass of inference.
        init_cfg: Config of MMEngine's weight initialisation.

    Raises:
        PartError: If the backbone does not satisfy :class:`mmsigma.models.interfaces.ClipEncoder`.
        ValueError: If ``num_steps`` or ``max_windows`` is not positive.
    """

    backbone: ClipEncoder

    def __init__(
        self,
        backbone: dict[str, Any],
        head: dict[str, Any],
        data_preprocessor: dict[str, Any] | None = None,
        *,
        pool_norm: bool = True,
        num_steps: int = 11,
        walk: dict[str, Any] | None = None,
        inference: dict[str, Any] | None = None,
        reference_padding: bool = False,
        max_windows: int = 32,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(MODELS.build(data_preprocessor or dict(type='RaggedVideoPreprocessor')), init_cfg)
        if num_steps < 1 or max_windows < 1:
            raise ValueError(f'num_steps and max_windows must be positive, got {num_steps} and {max_windows}')
        self.backbone = build_part(backbone, ClipEncoder, 'model.backbone')
        width = self.backbone.embed_dims
        self.norm = nn.LayerNorm(width, eps=1e-6) if pool_norm else nn.Identity()
        self.head = MODELS.build({'in_channels': width, **head})
        self.num_steps, self.max_windows = num_steps, max_windows
        self.walk = StateWalk(**(walk or {}))
        self.counter = CoarseToFineCounter(self.head, **(inference or {}))
        self.padding = REFERENCE_PADDING if reference_padding else None

    def forward(
        self,
        inputs: Any,
        data_samples: list[Any] | None = None,
        mode: str = 'tensor',
        states: Tensor | None = None,
    ) -> CycleScores | list[Any] | dict[str, Tensor] | tuple[dict[str, Tensor], Tensor]:
        """Run the model.

        Args:
            inputs: List of uint8 videos ``(C, T_i, H, W)``; for ``mode='tensor'``, normalised windows
                ``(B, C, 32, H, W)``.
            data_samples: Data samples, one per video, with ``previous_labels`` and ``next_labels``, ``(T_i,)``, in
                training; ignored for ``mode='tensor'``.
            mode: ``'loss'``, ``'step'``, ``'predict'`` or ``'tensor'``.
            states: States ``(B, 3)``, int64, for ``'loss'`` and ``'step'``; None to draw them.

        Returns:
            For ``'loss'``, the losses; for ``'step'``, the losses and the states of the next step, ``(B, 3)``; for
            ``'predict'``, ``data_samples`` with ``pred_count``; for ``'tensor'``, the scores of the windows.

        Raises:
            ValueError: If the mode is unknown, or samples have no labels in training.
        """
        if mode == 'tensor':
            return self.scores(inputs)
        if mode == 'predict':
            if data_samples is None:
                raise ValueError("mode='predict' needs data_samples")
            return self.predict(inputs, data_samples)
        if mode in ('loss', 'step'):
            losses, states = self.step(inputs, data_samples, states)
            return losses if mode == 'loss' else (losses, states)
        raise ValueError(f"mode must be 'loss', 'step', 'predict' or 'tensor', got {mode!r}")

    def train_step(self, data: dict[str, Any], optim_wrapper: OptimWrapper) -> dict[str, Tensor]:
        """Make ``num_steps`` updates on one batch, and return the means of the values to log."""
        return run_inner_steps(self, self, data, optim_wrapper)

    def scores(self, windows: Tensor) -> CycleScores:
        """Compute the scores of normalised windows ``(B, C, 32, H, W)``."""
        scores: CycleScores = self.head(self.norm(self.backbone(windows).mean(dim=1)))
        return scores

    def step(
        self, videos: list[Tensor], data_samples: list[Any] | None, states: Tensor | None
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Compute the losses at states ``(B, 3)``, or at newly drawn ones if None, and the states of the next step."""
        previous, following, lengths = _stack_labels(data_samples, videos)
        fresh = self.walk.start(previous, following, lengths)
        states = fresh if states is None else states
        scores = self.scores(self.windows(videos, states))
        middle = states[:, 1]
        labels = [labels_at(previous, middle, lengths), labels_at(following, middle + 1, lengths)]
        losses = self.head.loss(scores, torch.stack(labels, dim=1), segment_lengths(states))
        with torch.no_grad():
            scales = self.head.cycle_scales(CycleScores(*(value.double() for value in scores)), _MAX_LOG_SCALE)
        return losses, self.walk.advance(states, scales, fresh, lengths)

    def windows(self, videos: list[Tensor], states: Tensor) -> Tensor:
        """Cut out and normalise the windows of states.

        Args:
            videos: One uint8 video ``(C, T_i, H, W)`` per state, or a single one for all states.
            states: States ``(B, 3)``.

        Returns:
            Windows ``(B, C, 32, H, W)``, float32.
        """
        shares = window_indices(states).split(1 if len(videos) > 1 else len(states))
        parts = [gather_window(video, frames) for video, frames in zip(videos, shares, strict=True)]
        windows, exists = (torch.cat(values) for values in zip(*parts, strict=True))
        return fill_missing(self.data_preprocessor.normalize(windows), exists, self.padding)

    @torch.no_grad()
    def predict(self, videos: list[Tensor], data_samples: list[Any]) -> list[Any]:
        """Count the repetitions of every video, and set the integer ``pred_count`` of its sample."""
        for video, sample in zip(videos, data_samples, strict=True):

            def network(states: Tensor, video: Tensor = video) -> CycleScores:
                scores = [self.scores(self.windows([video], chunk)) for chunk in states.split(self.max_windows)]
                return CycleScores(*(torch.cat(values) for values in zip(*scores, strict=True)))

            sample.set_field(self.counter.count(network, video.shape[1]), 'pred_count')
        return data_samples


def _stack_labels(data_samples: list[Any] | None, videos: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Stack the labels of videos of different lengths.

    Returns:
        Previous and next labels, ``(B, T)`` each, undefined (-1) beyond the length of a video, and lengths ``(B,)``.
    """
    if not data_samples or 'next_labels' not in data_samples[0]:
        raise ValueError('the samples carry no next_labels: end the training pipeline with PackRepetitionInputs')
    labels = [
        nn.utils.rnn.pad_sequence([sample.get(name) for sample in data_samples], batch_first=True, padding_value=-1)
        for name in ('previous_labels', 'next_labels')
    ]
    lengths = torch.tensor([video.shape[1] for video in videos], device=labels[0].device)
    return labels[0], labels[1], lengths
