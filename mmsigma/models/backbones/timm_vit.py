"""Vision transformers of timm (DINO, DINOv2) as encoders of frames."""

from typing import Any

from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.func import functional_call

from mmsigma.models.backbones.timm_weights import create_timm_vit, resize_dino_positions
from mmsigma.registry import MODELS


@MODELS.register_module()
class TimmViTEncoder(BaseModule):
    """Encoder whose maps are the patch tokens of the last layer of a vision transformer of timm (DINO, DINOv2).

    Images may have any size; the positions of the checkpoint are resized by the rule of the DINO releases.

    Args:
        model_name: Name of the model in timm.
        weights: Path of a checkpoint with the parameter names of timm or DINO, ``'hub'`` to fetch the weights of
            timm, or ``'random'``.
        model_kwargs: Further arguments of ``timm.create_model``.

    Raises:
        CheckpointError: If weights cannot be fetched or do not fit.
    """

    stride: int

    def __init__(
        self,
        model_name: str = 'vit_small_patch8_224.dino',
        weights: str = 'hub',
        model_kwargs: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        encoder: Any = create_timm_vit(model_name, weights, 'model.backbone.weights', **(model_kwargs or {}))
        self.embed_dims: int = encoder.num_features
        (self.stride, _) = encoder.patch_embed.patch_size
        encoder.patch_embed.strict_img_size = False
        self.shield = _Shield(encoder)

    def forward(self, images: Tensor) -> Tensor:
        """Encode images ``(B, 3, H, W)`` as maps ``(B, embed_dims, H / stride, W / stride)``."""
        encoder: Any = self.shield.encoder  # timm's models have attributes of their own
        grid: Any = tuple(side // self.stride for side in images.shape[-2:])  # (rows, columns)
        prefix = 0 if encoder.no_embed_class else encoder.num_prefix_tokens
        # passed per call: the module keeps those of its own size, which checkpoints contain and training changes
        positions = resize_dino_positions(encoder.pos_embed, prefix, grid)
        tokens = functional_call(self.shield, {'encoder.pos_embed': positions}, images)
        maps: Tensor = tokens[:, encoder.num_prefix_tokens :].transpose(1, 2).unflatten(-1, grid)
        return maps


class _Shield(nn.Module):
    """Wrapper that hides ``init_weights`` of timm's models from MMEngine, which would overwrite the loaded weights."""

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.encoder: Any = encoder

    def forward(self, images: Tensor) -> Tensor:
        tokens: Tensor = self.encoder.forward_features(images)
        return tokens
