"""Pre-training of a frame encoder on single frames of videos by self-distillation (DINO, ICCV 2021)."""

import copy
from typing import Any

import torch
from mmengine.dist import all_reduce
from mmengine.model import BaseModel
from torch import Tensor, nn

from mmsigma.models.backbones import encode_frames
from mmsigma.models.clip_views import ClipViews
from mmsigma.models.dino.distillation_head import DistillationHead
from mmsigma.models.dino.self_distillation import self_distillation_loss
from mmsigma.models.interfaces import FrameEncoder
from mmsigma.models.parts import build_part
from mmsigma.registry import MODELS


@MODELS.register_module()
class DINO(BaseModel):
    """Self-distillation of a student, which sees all crops of a frame, by a teacher, which only sees the large ones.

    The teacher is the moving average of the student; :class:`mmsigma.engine.hooks.MomentumTeacherHook` updates it. Its
    backbone is the initialisation of Mask-VOS (section 4.1 of that paper).

    Args:
        backbone: Config of a frame encoder.
        head: Arguments of :class:`mmsigma.models.dino.distillation_head.DistillationHead`.
        data_preprocessor: Config of the data preprocessor, ``ClipViewsPreprocessor`` by default.
        student_temperature: Divisor of the student's logits.
        center_momentum: Momentum of the moving average of the teacher's logits, their centre.
        init_cfg: Config of MMEngine's weight initialisation.

    Raises:
        PartError: If the backbone does not satisfy :class:`mmsigma.models.interfaces.FrameEncoder`.
    """

    backbone: FrameEncoder
    teacher: Any  # ModuleDict of a FrameEncoder and a DistillationHead
    center: Tensor  # (K,)

    def __init__(
        self,
        backbone: dict[str, Any],
        head: dict[str, Any] | None = None,
        data_preprocessor: dict[str, Any] | None = None,
        *,
        student_temperature: float = 0.1,
        center_momentum: float = 0.9,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(MODELS.build(data_preprocessor or dict(type='ClipViewsPreprocessor')), init_cfg)
        self.backbone = build_part(backbone, FrameEncoder, 'model.backbone')
        self.head = DistillationHead(self.backbone.embed_dims, **(head or {}))
        self.teacher = nn.ModuleDict(
            {
                'backbone': copy.deepcopy(self.backbone),  # type: ignore[dict-item]  # a FrameEncoder is a module
                'head': copy.deepcopy(self.head),
            }
        )
        self.teacher.requires_grad_(False)
        self.student_temperature, self.center_momentum = student_temperature, center_momentum
        self.teacher_temperature = 0.04  # MomentumTeacherHook sets it
        self.register_buffer('center', torch.zeros(len(self.head.prototypes)))

    def forward(
        self, inputs: Any, data_samples: list[Any] | None = None, mode: str = 'tensor'
    ) -> dict[str, Tensor] | Tensor:
        """Run the model.

        Args:
            inputs: Normalised crops as :class:`ClipViews` for ``mode='loss'``, the large ones as ``images``,
                ``(B, G, 3, H, W)``, the small ones as ``views``, ``(B, L, 3, h, w)`` or None; normalised images
                ``(B, 3, H, W)`` for ``mode='tensor'``.
            data_samples: Ignored.
            mode: ``'loss'`` or ``'tensor'``.

        Returns:
            For ``'loss'``, losses and statistics; for ``'tensor'``, the teacher's maps ``(B, D, h, w)``.

        Raises:
            ValueError: If the mode is unknown.
        """
        if mode == 'loss':
            return self.loss(inputs)
        if mode == 'tensor':
            return encode_frames(self.teacher['backbone'], inputs)
        raise ValueError(f"mode must be 'loss' or 'tensor', got {mode!r}")

    def loss(self, crops: ClipViews) -> dict[str, Tensor]:
        """Compute the loss of crops, and the entropy of the teacher.

        Training has collapsed if ``teacher_entropy`` reaches 0, or ln K for K prototypes.
        """
        sizes = [crops.images] if crops.views is None else [crops.images, crops.views]
        student = torch.cat([_logits(self.backbone, self.head, images) for images in sizes])
        with torch.no_grad():
            teacher = _logits(self.teacher['backbone'], self.teacher['head'], crops.images).float()
        loss = self_distillation_loss(
            student,
            teacher,
            self.center,
            student_temperature=self.student_temperature,
            teacher_temperature=self.teacher_temperature,
        )
        sharp = ((teacher - self.center) / self.teacher_temperature).log_softmax(dim=-1)
        self._move_center(teacher)
        return {'loss_distillation': loss, 'teacher_entropy': -(sharp.exp() * sharp).sum(dim=-1).mean()}

    @torch.no_grad()
    def _move_center(self, teacher: Tensor) -> None:
        mean = teacher.mean(dim=(0, 1))
        all_reduce(mean, 'mean')
        self.center.lerp_(mean, 1 - self.center_momentum)

    @torch.no_grad()
    def move_teacher(self, momentum: float) -> None:
        """Update the teacher as the moving average of the student.

        Args:
            momentum: Share of the teacher that stays; 0 makes it a copy of the student, buffers included.
        """
        for name in ('backbone', 'head'):
            student = getattr(self, name)
            for ours, its in zip(student.parameters(), self.teacher[name].parameters(), strict=True):
                its.lerp_(ours.detach(), 1 - momentum)
            if not momentum:
                for ours, its in zip(student.buffers(), self.teacher[name].buffers(), strict=True):
                    its.copy_(ours)


def _logits(backbone: FrameEncoder, head: nn.Module, crops: Tensor) -> Tensor:
    """Compute logits ``(V, B, K)`` of crops ``(B, V, 3, H, W)`` from the means over their maps."""
    maps = encode_frames(backbone, crops.transpose(0, 1).flatten(0, 1))
    logits: Tensor = head(maps.mean(dim=(2, 3))).unflatten(0, (crops.shape[1], -1))
    return logits
