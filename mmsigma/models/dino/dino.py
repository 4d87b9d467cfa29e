"""Pre-training of a frame encoder by self-distillation (DINO, ICCV 2021), on single frames of videos."""

import copy

import torch
from mmengine.dist import all_reduce
from mmengine.model import BaseModel
from torch import Tensor, nn

from mmsigma.models.backbones import encode_frames
from mmsigma.models.clip_views import ClipViews
from mmsigma.models.dino.distillation_head import DistillationHead
from mmsigma.models.dino.self_distillation import self_distillation_loss
from mmsigma.models.interfaces import FrameEncoder, build_part
from mmsigma.registry import MODELS


@MODELS.register_module()
class DINO(BaseModel):
    """A student sees small and large crops of a frame, a teacher, the student's moving average, the large ones alone.

    What comes of it, the teacher's backbone, is where training of Mask-VOS begins (paper, section 4.1).
    :class:`mmsigma.engine.hooks.MomentumTeacherHook` moves the teacher.

    Args:
        backbone: Config of a frame encoder.
        head: Arguments of :class:`mmsigma.models.dino.distillation_head.DistillationHead`.
        data_preprocessor: Config of the preprocessor.
        student_temperature: Divides the student's logits.
        center_momentum: Of the mean of the teacher's logits.
        init_cfg: mmengine's initialisation config.

    Raises:
        PartError: If the backbone does not satisfy :class:`mmsigma.models.interfaces.FrameEncoder`.
    """

    backbone: FrameEncoder

    def __init__(
        self,
        backbone: dict,
        head: dict | None = None,
        data_preprocessor: dict | None = None,
        *,
        student_temperature: float = 0.1,
        center_momentum: float = 0.9,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(MODELS.build(data_preprocessor or dict(type='ClipViewsPreprocessor')), init_cfg)
        self.backbone = build_part(backbone, FrameEncoder, 'model.backbone')
        self.head = DistillationHead(self.backbone.embed_dims, **(head or {}))
        self.teacher = nn.ModuleDict({'backbone': copy.deepcopy(self.backbone), 'head': copy.deepcopy(self.head)})
        self.teacher.requires_grad_(False)
        self.student_temperature, self.center_momentum = student_temperature, center_momentum
        self.teacher_temperature = 0.04  # set by the hook
        self.register_buffer('center', torch.zeros(len(self.head.prototypes)))

    def forward(
        self, inputs: ClipViews | Tensor, data_samples: list | None = None, mode: str = 'tensor'
    ) -> dict[str, Tensor] | Tensor:
        """Run the model.

        Args:
            inputs: Crops for ``'loss'``, the large ones as ``images`` (B, G, 3, H, W), the small ones as ``views``
                (B, L, 3, h, w) or None; images (B, 3, H, W) for ``'tensor'``.
            data_samples: Unused.
            mode: ``'loss'``, or ``'tensor'`` for the teacher's maps.
        """
        if mode == 'loss':
            return self.loss(inputs)
        if mode == 'tensor':
            return encode_frames(self.teacher['backbone'], inputs)
        raise ValueError(f"mode must be 'loss' or 'tensor', got {mode!r}")

    def loss(self, crops: ClipViews) -> dict[str, Tensor]:
        """Loss of crops; ``teacher_entropy`` falls to 0, or to the logarithm of K, when training collapses."""
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
        """Make the teacher ``momentum`` times itself and the rest the student; 0 makes it the student."""
        for name in ('backbone', 'head'):
            student = getattr(self, name)
            for ours, its in zip(student.parameters(), self.teacher[name].parameters(), strict=True):
                its.lerp_(ours.detach(), 1 - momentum)
            if not momentum:
                for ours, its in zip(student.buffers(), self.teacher[name].buffers(), strict=True):
                    its.copy_(ours)


def _logits(backbone: nn.Module, head: nn.Module, crops: Tensor) -> Tensor:
    """Logits (V, B, K) of crops (B, V, 3, H, W): of the mean over each one's map."""
    maps = encode_frames(backbone, crops.transpose(0, 1).flatten(0, 1))
    return head(maps.mean(dim=(2, 3))).unflatten(0, (crops.shape[1], -1))
