# SIGMA-MLP on clips that are rendered while it trains, of which none is seen twice: 8 frames of 64 x 64 in tubes of
# 2 x 8 x 8, 192 channels, 4 blocks, 256 prototypes. 32 clips per step, learning rate 1e-3. backdrop: 'texture', 'noise'
# or 'plain'; min_deviation: smallest deviation of the tubes, in grey levels.
_base_ = ['sigma_mlp.py']

backdrop = 'texture'
min_deviation = 0.0
clips_per_epoch = 3200

model = dict(
    backbone=dict(arch=dict(depth=4), img_size=64, patch_size=8),
    target=dict(patch_size=8, min_deviation=min_deviation),
)
train_pipeline = [
    dict(type='TubeMask', grid=(4, 8, 8), mask_ratio=_base_.mask_ratio),
    dict(type='PackVideoInputs'),
]
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='RenderedClips',
        length=clips_per_epoch,
        num_frames=8,
        size=64,
        backdrop=backdrop,
        pipeline=train_pipeline,
    )
)
