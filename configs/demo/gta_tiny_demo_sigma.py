# GTA on the frozen tokens of a SIGMA encoder, which receives each frame as a clip without motion. Load the weights of
# configs/demo/sigma_tiny_demo_mlp.py with --cfg-options load_from=...; model.train_mode=train_all trains them too.
_base_ = ['gta_tiny_demo.py']

model = dict(
    data_preprocessor=dict(size=64),
    backbone=dict(
        _delete_=True,
        type='VideoVisionTransformer',
        arch=dict(embed_dims=128, depth=4, num_heads=4),
        img_size=64,
        num_frames=8,
        patch_size=8,
        tubelet_size=2,
        dynamic_size=True,
    ),
    train_mode='frozen',
)
