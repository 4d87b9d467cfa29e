"""A visual encoder of one's own for Mask-VOS: patches, an MLP for each, and maps for the decoder."""

import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmsigma.models.mask_vos.networks import WIDTH, EncodedFrame, projection, skips_of
from mmsigma.registry import MODELS


@MODELS.register_module()
class PatchMLPEncoder(BaseModule):
    """Keys and maps of cells of 8 x 8 pixels, none of which knows its neighbours.

    Args:
        key_dims: Width D of the keys.
    """

    stride = 8

    def __init__(self, key_dims: int = 64) -> None:
        super().__init__()
        self.embed_dims = key_dims
        self.fine = nn.Conv2d(3, 64, kernel_size=4, stride=4)
        self.coarse = projection(4 * 64, WIDTH)
        self.key = nn.Conv2d(WIDTH, key_dims, kernel_size=1)
        self.skip8, self.skip4 = skips_of(WIDTH, 64)

    def forward(self, images: Tensor) -> Tensor:
        """Unit keys (B, D, H / 8, W / 8) of normalised images (B, 3, H, W)."""
        return self._maps(images)[0]

    def encode(self, images: Tensor) -> EncodedFrame:
        """Keys, and what the decoder needs, of normalised images (B, 3, H, W)."""
        key, features, fine = self._maps(images)
        return EncodedFrame(key, features, self.skip8(features), self.skip4(fine))

    def _maps(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        fine = self.fine(images).relu()  # (B, 64, H / 4, W / 4)
        features = self.coarse(F.pixel_unshuffle(fine, 2))
        return F.normalize(self.key(features), dim=1), features, fine
