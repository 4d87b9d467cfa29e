"""Dense features of single frames, by frame encoders and video transformers alike.

A frame encoder maps normalised images (B, 3, H, W), with sides that are multiples of its ``stride``, to maps
(B, embed_dims, h, w) of one cell per ``stride`` pixels; see :class:`mmsigma.models.interfaces.FrameEncoder`.
"""

from torch import Tensor

from mmsigma.models.interfaces import FrameEncoder, sees_clips


def encode_frames(backbone: FrameEncoder, images: Tensor) -> Tensor:
    """Maps (B, embed_dims, h, w) of normalised images (B, 3, H, W), by a frame encoder or a video transformer.

    A video transformer sees each image as a clip in which nothing moves, as long as one tube; it needs
    ``dynamic_size=True``.
    """
    if not sees_clips(backbone):
        return backbone(images)
    tokens = backbone(images[:, :, None].expand(-1, -1, backbone.tubelet_size, -1, -1))
    return tokens.transpose(1, 2).unflatten(-1, [side // backbone.patch_size for side in images.shape[-2:]])
