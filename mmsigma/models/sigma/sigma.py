"""Masked video modelling: SIGMA (ECCV 2024), and VideoMAE (NeurIPS 2022) as the special case of pixel targets."""

import math
from typing import Any

import torch
from mmengine.model import BaseModel
from torch import Tensor

from mmsigma.models.interfaces import Decoder, PredictionHead, Target, VideoEncoder
from mmsigma.models.parts import build_part
from mmsigma.ops import TokenSplit, every_slot, split_tokens, stack_splits
from mmsigma.registry import MODELS


@MODELS.register_module()
class SIGMA(BaseModel):
    """Sinkhorn-guided masked video modelling (ECCV 2024, section 3).

    ::

        split  = visible, masked      (B, N_visible), (B, N_masked)
        tokens = backbone(inputs, split)      (B, N_visible, C)
        pred   = neck(tokens, split)          (B, N_masked, D)
        target = target(inputs, split)        (B, N_masked, D)
        losses = head.loss(pred, target)

    ``target`` and ``head`` determine the method: pixels with regression are VideoMAE, an MLP or a frozen DINO encoder
    with prototypes are SIGMA, and an MLP with regression is the ablation that collapses. Of a target that knows only
    the tubes of every n-th slot of time (``every``), these alone are in the loss. A target that ``reads`` a field of
    the data samples is called with it instead of the clips.

    Args:
        backbone: Config of the video transformer.
        neck: Config of the decoder; its channels and grid follow from backbone and target.
        target: Config of the target.
        head: Config of the head; its channels follow from the target.
        data_preprocessor: Config of the data preprocessor, ``VideoDataPreprocessor`` by default.
        init_cfg: Config of MMEngine's weight initialisation, such as ``dict(type='Pretrained', checkpoint=...)``.

    Raises:
        PartError: If a part does not satisfy its protocol of :mod:`mmsigma.models.interfaces`.
        ValueError: If target and backbone cut clips into different tubes.
    """

    backbone: VideoEncoder
    neck: Decoder
    target: Target
    head: PredictionHead

    def __init__(
        self,
        backbone: dict[str, Any],
        neck: dict[str, Any],
        target: dict[str, Any],
        head: dict[str, Any],
        data_preprocessor: dict[str, Any] | None = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        # built here, because BaseModel searches MMEngine's registry, which only includes ours inside a Runner
        super().__init__(MODELS.build(data_preprocessor or dict(type='VideoDataPreprocessor')), init_cfg)
        self.backbone = build_part(backbone, VideoEncoder, 'model.backbone')
        self.target = build_part(target, Target, 'model.target')
        self._check_tubes()
        self._every, self._are_slots_checked = getattr(self.target, 'every', 1), False
        width = self.target.out_channels
        derived = dict(in_channels=self.backbone.embed_dims, out_channels=width, grid=self.backbone.grid)
        self.neck = build_part({**derived, **neck}, Decoder, 'model.neck')
        self.head = build_part({'in_channels': width, **head}, PredictionHead, 'model.head')

    def _check_tubes(self) -> None:
        backbone = self.backbone
        tubes = dict(tubelet_size=backbone.tubelet_size, patch_size=backbone.patch_size, grid=backbone.grid[1:])
        for name, expected in tubes.items():
            found = getattr(self.target, name, expected)
            if found != expected:
                raise ValueError(
                    f'model.target.{name} is {found}, but model.backbone cuts clips so that it must be {expected}: its '
                    f'grid is {backbone.grid}, tubelet_size {backbone.tubelet_size}, patch_size {backbone.patch_size}'
                )

    def forward(
        self, inputs: Tensor, data_samples: list[Any] | None = None, mode: str = 'tensor'
    ) -> dict[str, Tensor] | list[Any] | Tensor:
        """Run the model.

        Args:
            inputs: Normalised clips ``(B, C, T, H, W)``.
            data_samples: Data samples, one per clip, for ``mode='loss'`` with the indices ``visible`` and ``masked`` of
                its tokens, or only a boolean ``mask`` ``(N,)``; ignored for ``mode='tensor'``.
            mode: ``'loss'``, ``'tensor'`` or ``'predict'``.

        Returns:
            For ``'loss'``, losses and statistics; for ``'tensor'``, the tokens ``(B, N, C)`` of the unmasked clips;
            for ``'predict'``, ``data_samples`` with the mean token ``mean_features``, ``(C,)``.

        Raises:
            ValueError: If the mode is unknown, or the samples have no masks or masks of another grid.
        """
        if mode == 'loss':
            split, given = self._split(data_samples), self._given(data_samples)
            return self.loss(inputs, split) if given is None else self.loss(inputs, split, given)
        tokens = self.backbone(inputs)
        if mode == 'tensor':
            return tokens
        if mode == 'predict':
            if data_samples is None:
                raise ValueError("mode='predict' needs data_samples")
            for sample, features in zip(data_samples, tokens.mean(dim=1), strict=True):
                sample.set_field(features, 'mean_features')
            return data_samples
        raise ValueError(f"mode must be 'loss', 'predict' or 'tensor', got {mode!r}")

    def loss(self, inputs: Tensor, split: TokenSplit, given: Tensor | None = None) -> dict[str, Tensor]:
        """Compute losses and statistics of clips.

        Args:
            inputs: Normalised clips ``(B, C, T, H, W)``.
            split: Indices of the visible and the masked tokens.
            given: What the target is called with instead of the clips, if it reads a field of the data samples.
        """
        tokens = self.backbone(inputs, split)
        pred = self.neck(tokens, split)
        if self._every > 1:
            slots = self.backbone.grid[0]
            pred = every_slot(pred, slots, self._every)
            split = TokenSplit(split.visible, every_slot(split.masked, slots, self._every))
        target = self.target(inputs if given is None else given, split)
        return self.head.loss(pred, target)

    def _given(self, data_samples: list[Any] | None) -> Tensor | None:
        """Return the field of the data samples that the target reads, if it reads one, ``(B, ...)``."""
        field = getattr(self.target, 'reads', None)
        if field is None or not data_samples:
            return None
        if field not in data_samples[0]:
            raise ValueError(
                f'{type(self.target).__name__} reads {field!r}, which the samples do not have: put LoadTargetMaps '
                'before PackVideoInputs in train_dataloader.dataset.pipeline'
            )
        return torch.stack([sample.get(field) for sample in data_samples])

    def _split(self, data_samples: list[Any] | None) -> TokenSplit:
        if not data_samples or 'mask' not in data_samples[0]:
            raise ValueError('the samples carry no mask: end the training pipeline with a mask and PackVideoInputs')
        grid = self.backbone.grid
        for sample in data_samples:
            drawn, length = sample.metainfo.get('mask_grid', grid), len(sample.mask)
            if drawn != grid or length != math.prod(grid):
                origin = f'drawn on the grid {drawn}' if drawn != grid else f'of {length} tokens'
                raise ValueError(
                    f'a mask {origin} does not belong to model.backbone, whose grid is {grid}: set grid={grid} for the '
                    'mask in train_dataloader.dataset.pipeline'
                )
        if self._every > 1:
            self._check_slots(data_samples)
        if all('masked' in sample for sample in data_samples):
            return stack_splits([TokenSplit(sample.visible, sample.masked) for sample in data_samples])
        split: TokenSplit = split_tokens(torch.stack([sample.mask for sample in data_samples]))
        return split

    @torch.compiler.disable  # type: ignore[untyped-decorator]  # PyTorch leaves it without annotations
    def _check_slots(self, data_samples: list[Any]) -> None:
        """Check that the first batch has masks with equally many tokens in each slot, for which a GPU waits."""
        if self._are_slots_checked:
            return
        counts = torch.stack([sample.mask for sample in data_samples]).unflatten(1, (self.backbone.grid[0], -1)).sum(2)
        if (counts != counts[:, :1]).any():
            raise ValueError(
                f'model.target.every={self._every} needs masks with equally many tokens in every slot of time, '
                f'got {counts[0].tolist()}: use TubeMask or MotionGuidedMask in train_dataloader.dataset.pipeline'
            )
        self._are_slots_checked = True

    @torch.no_grad()
    def prototype_scores(self, inputs: Tensor, level: int = 0) -> Tensor:
        """Compute the similarity of the target of every tube to every prototype, for visualisation and diagnosis.

        Args:
            inputs: Normalised clips ``(B, C, T, H, W)``.
            level: Level of the prototypes.

        Returns:
            Cosine similarities ``(B, N, K)``.
        """
        num_tokens = math.prod(self.backbone.grid)
        everything = torch.arange(num_tokens, device=inputs.device).expand(len(inputs), -1)
        features = self.target(inputs, TokenSplit(visible=everything, masked=everything))
        scores: Tensor = self.head.scores(features, level)  # type: ignore[attr-defined]  # of PrototypeHead alone
        return scores
