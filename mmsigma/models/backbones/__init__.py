from mmsigma.models.backbones.video_vit import VideoVisionTransformer

__all__ = ['VideoVisionTransformer']
