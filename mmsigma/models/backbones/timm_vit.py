"""Vision transformers of timm as encoders of frames (DINO, DINOv2)."""

from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.func import functional_call

from mmsigma.models.backbones.timm_weights import create_timm_vit, resize_dino_positions
from mmsigma.registry import MODELS


@MODELS.register_module()
class TimmViTEncoder(BaseModule):
    """Last layer's patch tokens of a vision transformer of timm (DINO, DINOv2), for images of any size.

    Positions are resized from those of the checkpoint by the rule of the DINO releases.

    Args:
        model_name: Of timm.
        weights: A checkpoint with timm's or DINO's parameter names, ``'hub'``, or ``'random'``.
        model_kwargs: Further arguments of ``timm.create_model``.
    """

    def __init__(
        self, model_name: str = 'vit_small_patch8_224.dino', weights: str = 'hub', model_kwargs: dict | None = None
    ) -> None:
        super().__init__()
        encoder = create_timm_vit(model_name, weights, 'model.backbone.weights', **(model_kwargs or {}))
        self.embed_dims: int = encoder.num_features
        (self.stride, _) = encoder.patch_embed.patch_size
        encoder.patch_embed.strict_img_size = False
        self.shield = _Shield(encoder)

    def forward(self, images: Tensor) -> Tensor:
        """Maps (B, embed_dims, H / stride, W / stride)."""
        encoder = self.shield.encoder
        grid = tuple(side // self.stride for side in images.shape[-2:])
        prefix = 0 if encoder.no_embed_class else encoder.num_prefix_tokens
        # the module keeps the positions of its own size, which checkpoints hold and training moves
        positions = resize_dino_positions(encoder.pos_embed, prefix, grid)
        tokens = functional_call(self.shield, {'encoder.pos_embed': positions}, images)
        return tokens[:, encoder.num_prefix_tokens :].transpose(1, 2).unflatten(-1, grid)


class _Shield(nn.Module):
    """Hides ``init_weights`` of timm's models from mmengine, which would overwrite what was loaded."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, images: Tensor) -> Tensor:
        return self.encoder.forward_features(images)
