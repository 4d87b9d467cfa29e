"""Dense features of single frames, from frame encoders and video transformers alike.

A frame encoder turns normalised images ``(B, 3, H, W)``, whose sides are multiples of its ``stride``, into maps
``(B, embed_dims, H / stride, W / stride)``; see :class:`mmsigma.models.interfaces.FrameEncoder`.
"""

from torch import Tensor

from mmsigma.models.interfaces import FrameEncoder, sees_clips


def encode_frames(backbone: FrameEncoder, images: Tensor) -> Tensor:
    """Encode normalised images ``(B, 3, H, W)`` as maps ``(B, embed_dims, h, w)``.

    Args:
        backbone: Frame encoder, or video transformer with ``dynamic_size=True``; the latter sees each image as a clip
            of one tube in which nothing moves.
        images: Normalised images, whose sides are multiples of the stride.
    """
    if not sees_clips(backbone):
        return backbone(images)
    tokens = backbone(images[:, :, None].expand(-1, -1, backbone.tubelet_size, -1, -1))
    maps: Tensor = tokens.transpose(1, 2).unflatten(-1, [side // backbone.patch_size for side in images.shape[-2:]])
    return maps
