# ViT-B of SIGMA or VideoMAE (arch=small for ViT-S) on DAVIS-2017: each frame is a clip without motion, with the
# protocol of DINO in dino_vits8.py. This combination is ours: the paper has no such evaluation.
_base_ = ['dino_vits8.py']

arch = 'base'

model = dict(
    backbone=dict(
        _delete_=True,
        type='VideoVisionTransformer',
        arch=arch,
        img_size=224,
        num_frames=16,
        patch_size=16,
        tubelet_size=2,
        final_norm=False,
        dynamic_size=True,
    ),
)
load_backbone_only = True
weights_in_config = False
