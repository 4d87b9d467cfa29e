# A frozen ViT-B without a head, for features. Nothing is trained.
_base_ = ['../default_runtime.py']

model = dict(
    type='VideoClassifier',
    data_preprocessor=dict(type='VideoDataPreprocessor'),
    freeze_backbone=True,
    backbone=dict(
        type='VideoVisionTransformer',
        arch='base',
        img_size=224,
        num_frames=16,
        patch_size=16,
        tubelet_size=2,
        final_norm=False,
    ),
)
load_backbone_only = True
