"""ResNets with dense output maps, as CRW, DUL and Mask-VOS use them."""

from typing import Any, Literal

from mmengine.model import BaseModule
from torch import Tensor, nn
from torchvision.models import resnet18, resnet50

from mmsigma.registry import MODELS

PaddingMode = Literal['zeros', 'reflect']
_RESNETS = {18: (resnet18, 64), 50: (resnet50, 256)}


@MODELS.register_module()
class ResNetEncoder(BaseModule):
    """ResNet with an output stride of 8: stages 3 and 4 have a stride of 1, without dilation (CRW, DUL, Mask-VOS).

    Parameters have the names of torchvision.

    Args:
        depth: Number of layers, 18 or 50.
        out_stage: Last stage, 3 or 4; later ones are not built. Mask-VOS uses stage 4 of ResNet-18 and stage 3 of
            ResNet-50; CRW is tested with stage 3 of ResNet-18.
        padding_mode: Padding of the convolutions, ``'zeros'`` or ``'reflect'`` (CRW).
        in_channels: Number of input channels. Unless it is 3, the first convolution has a bias (frame-mask encoder of
            Mask-VOS).
        init_cfg: Config of MMEngine's weight initialisation.

    Raises:
        ValueError: If ``depth`` or ``out_stage`` is none of these.
    """

    stride = 8

    def __init__(
        self,
        depth: int = 18,
        out_stage: int = 4,
        padding_mode: PaddingMode = 'zeros',
        in_channels: int = 3,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if depth not in _RESNETS or out_stage not in (3, 4):
            raise ValueError(f'depth must be 18 or 50 and out_stage 3 or 4, got {depth} and {out_stage}')
        build, width = _RESNETS[depth]
        network = build(weights=None)
        if in_channels != 3:
            network.conv1 = nn.Conv2d(in_channels, 64, 7, stride=2, padding=3)
        self.out_stage, self.embed_dims = out_stage, width * 2 ** (out_stage - 1)
        self.stem = ('conv1', 'bn1', 'relu', 'maxpool')
        for name in (*self.stem, *(f'layer{stage}' for stage in range(1, out_stage + 1))):
            self.add_module(name, getattr(network, name))
        for stage in range(3, out_stage + 1):
            for module in getattr(self, f'layer{stage}').modules():
                if isinstance(module, nn.Conv2d):
                    module.stride = (1, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module.padding != (0, 0):
                module.padding_mode = padding_mode

    def forward(self, images: Tensor) -> Tensor:
        """Encode images ``(B, in_channels, H, W)`` as maps ``(B, embed_dims, H / 8, W / 8)``."""
        return self.stages(images)[-1]

    def stages(self, images: Tensor) -> list[Tensor]:
        """Return the maps of all stages; the first has a stride of 4, the others have a stride of 8."""
        for name in self.stem:
            images = getattr(self, name)(images)
        maps = []
        for stage in range(1, self.out_stage + 1):
            images = getattr(self, f'layer{stage}')(images)
            maps.append(images)
        return maps
