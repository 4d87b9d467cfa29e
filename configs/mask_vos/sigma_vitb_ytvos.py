# Mask-VOS with the ViT-B of SIGMA or VideoMAE as the visual encoder: each frame is a clip without motion, and the
# patches of 16 pixels are interpolated to cells of 8. Not in the paper. Start from pre-trained weights: --cfg-options
# load_from=/path/to/sigma.pth
_base_ = ['r18_ytvos.py']

model = dict(
    backbone=dict(
        _delete_=True,
        type='ViTKeyEncoder',
        encoder=dict(
            type='VideoVisionTransformer',
            arch='base',
            img_size=224,
            num_frames=16,
            patch_size=16,
            tubelet_size=2,
            final_norm=False,
            dynamic_size=True,
        ),
        key_dims=128,
    ),
)
