"""Data preprocessor that turns a list of uint8 clips into one normalised batch on the device."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseDataPreprocessor
from timm.data import Mixup  # type: ignore[attr-defined]  # timm exports it without __all__
from timm.data.random_erasing import RandomErasing
from torch import Tensor

from mmsigma.registry import MODELS

IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)


@MODELS.register_module()
class VideoDataPreprocessor(BaseDataPreprocessor):
    """Stacks uint8 clips and normalises them on the device, which takes a quarter of the transfer of float32 clips.

    Args:
        mean: Mean of each channel, on the scale 0..255.
        std: Standard deviation of each channel, on the scale 0..255.
        erasing: Arguments of timm's ``RandomErasing``, which is applied in training: one box per clip, filled anew in
            every frame. None erases nothing.
        mixing: Arguments of timm's ``Mixup`` (mixup and cutmix of a batch with its reverse), which is applied in
            training. It requires ``num_classes``, labels, and an even number of clips; labels become distributions
            over the classes. None mixes nothing.
        non_blocking: Whether to overlap the transfer to the device with computation, which works from pinned memory.
    """

    mean: Tensor  # (C, 1, 1, 1)
    std: Tensor  # (C, 1, 1, 1)

    def __init__(
        self,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        *,
        erasing: dict[str, Any] | None = None,
        mixing: dict[str, Any] | None = None,
        non_blocking: bool = True,
    ) -> None:
        super().__init__(non_blocking)
        self.erase: Any = RandomErasing(**erasing, device='cpu') if erasing else None
        self.mix: Any = Mixup(**{'label_smoothing': 0.0, **mixing}) if mixing else None
        self.num_classes: int | None = self.mix.num_classes if self.mix else None
        self.register_buffer('mean', torch.tensor(mean).view(-1, 1, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(std).view(-1, 1, 1, 1), persistent=False)

    # data samples are Python objects, so there is nothing to compile
    @torch.compiler.disable  # type: ignore[untyped-decorator]  # PyTorch leaves it without annotations
    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Normalise a batch.

        Args:
            data: Batch with the keys ``inputs``, a list of uint8 clips ``(C, T, H, W)``, or of several views each,
                ``(V, C, T, H, W)``, or one tensor of all of them; and ``data_samples``, one per clip.
            training: Whether to erase and mix, and to check the labels.

        Returns:
            Dict of the same keys, with ``inputs`` as one float32 tensor ``(B, C, T, H, W)`` or ``(B, V, C, T, H, W)``.

        Raises:
            ValueError: If clips differ in shape or have another number of channels than ``mean``; in training, if a
                label is out of range (where the number of classes is known), or if an odd number of clips, or clips
                without labels, are to be mixed.
        """
        if training and self.num_classes:
            _check_labels(data.get('data_samples') or [], self.num_classes)  # labels are still on the CPU here
        data = self.cast_data(data)
        clips = data['inputs']
        shapes = {tuple(clip.shape) for clip in clips}
        if len(shapes) != 1:
            raise ValueError(f'all clips of a batch must have the same shape, got {sorted(shapes)}')
        (shape,) = shapes
        if len(shape) not in (4, 5) or shape[-4] != len(self.mean):
            raise ValueError(f'clips must have the shape (C={len(self.mean)}, T, H, W), got {shape}')
        batch = clips if isinstance(clips, torch.Tensor) else torch.stack(clips)
        batch = batch.to(torch.float32, copy=True).sub_(self.mean).div_(self.std)
        samples = data.get('data_samples')
        if training and self.erase:
            self._erase(batch)
        if training and self.mix:
            self._mix(batch, samples)
        return {'inputs': batch, 'data_samples': samples}

    def _erase(self, batch: Tensor) -> None:
        self.erase.device = str(batch.device)
        for clip in batch:
            self.erase(clip.flatten(0, 1))  # frames count as channels, so that all lose the same box

    def _mix(self, batch: Tensor, samples: list[Any] | None) -> None:
        if len(batch) % 2:
            raise ValueError(
                f'mixing pairs the clips of a batch, so their number must be even, got {len(batch)}: choose an even '
                'batch_size, or mixing=None in model.data_preprocessor'
            )
        if samples is None:
            raise ValueError('mixing needs labels: give data samples with gt_label, or set mixing=None')
        unlabelled = [str(sample.get('filename', '?')) for sample in samples if 'gt_label' not in sample]
        if unlabelled:
            raise ValueError(
                f'{len(unlabelled)} samples have no label, {unlabelled[:3]} among them: mixing needs labels'
            )
        labels = torch.cat([sample.gt_label for sample in samples]).to(batch.device)
        _, targets = self.mix(batch.flatten(1, 2), labels)  # changes the batch in place
        for sample, target in zip(samples, targets, strict=True):
            sample.set_field(target, 'gt_label')


def _check_labels(samples: Sequence[Any], num_classes: int) -> None:
    """Check single labels, because one out of range would crash a GPU without naming the video."""
    for sample in samples:
        label = sample.get('gt_label')
        if label is not None and label.numel() == 1 and not 0 <= int(label) < num_classes:
            raise ValueError(
                f'{sample.get("filename", "a video")} has label {int(label)}, but num_classes is {num_classes}: labels '
                f'count from 0, so set dataset.label_range=(1, {num_classes}) for one that counts from 1 or num_classes'
            )
