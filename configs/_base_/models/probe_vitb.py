# Frozen ViT-B; norm and linear layer train. The backbone is in evaluation mode, without the augmentation of batches.
model = dict(
    type='VideoClassifier',
    data_preprocessor=dict(type='VideoDataPreprocessor'),
    freeze_backbone=True,
    frozen_backbone_mode='eval',
    backbone=dict(
        type='VideoVisionTransformer',
        arch='base',
        img_size=224,
        num_frames=16,
        patch_size=16,
        tubelet_size=2,
        final_norm=False,
    ),
    head=dict(type='ClassificationHead', norm='layer', init_scale=0.001),
)
load_backbone_only = True
