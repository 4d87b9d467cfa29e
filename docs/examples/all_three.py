# The demo with a backbone, a target and a loss from files outside the package; `custom_imports` registers them.
_base_ = ['mmsigma::demo/sigma_tiny_demo_pixel.py']

custom_imports = dict(imports=['mixing_backbone', 'motion_target', 'cosine_loss'], allow_failed_imports=False)

model = dict(
    backbone=dict(
        _delete_=True,
        type='MixingBackbone',
        embed_dims=128,
        depth=4,
        img_size=64,
        num_frames=8,
        patch_size=8,
    ),
    target=dict(type='MotionTarget'),
    head=dict(loss=dict(type='CosineFeatureLoss')),
)
