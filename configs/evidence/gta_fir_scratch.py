# GTA without a pre-trained encoder: patches of 8 x 8 pixels, two convolutions over all their positions. Otherwise as
# gta_fir.py.
_base_ = ['gta_fir.py']

model = dict(
    data_preprocessor=dict(size=64),
    backbone=dict(
        _delete_=True,
        type='VideoVisionTransformer',
        arch=dict(embed_dims=32, depth=0, num_heads=4),
        img_size=64,
        num_frames=2,
        patch_size=8,
        tubelet_size=2,
        dynamic_size=True,
    ),
    neck=dict(conv_channels=(32, 8), fc_channels=(64,), out_channels=32, pool='flatten', map_size=(8, 8)),
    train_mode='scratch',
)
