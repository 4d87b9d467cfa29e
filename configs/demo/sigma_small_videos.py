# SIGMA-MLP for a folder of your own videos on a CPU, in minutes: 8 frames of 128 x 128 in tubes of 2 x 16 x 16, 256
# tokens, 192 channels, 6 blocks, 128 prototypes; 50 epochs of 16 clips per step, learning rate 1e-3. Between the demo
# and the recipes of configs/sigma.
_base_ = ['sigma_tiny_demo_mlp.py']

data_root = 'my_videos'
ann_file_train = ''
epochs = 50
batch_size = 16
num_workers = 2
num_samples = 1
num_prototypes = 128
frame_interval = 4

model = dict(
    backbone=dict(arch=dict(embed_dims=192, depth=6, num_heads=3), img_size=128, patch_size=16),
    neck=dict(embed_dims=96, num_heads=3),
    target=dict(patch_size=16),
    head=dict(num_prototypes=num_prototypes),
)
read = [
    dict(
        type='ReadClip',
        decoder=_base_.decoder,
        sampling=dict(type='SampleStridedClip', clip_len=8, frame_interval=frame_interval),
    )
]
crop_and_mask = [
    dict(type='MultiScaleCrop', size=128),
    dict(type='TubeMask', grid=(4, 8, 8), mask_ratio=_base_.mask_ratio),
    dict(type='PackVideoInputs'),
]
repeated = [dict(type='RepeatAugment', num_repeats=num_samples, transforms=crop_and_mask)]
train_pipeline = [*read, *(repeated if num_samples > 1 else crop_and_mask)]
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    dataset=dict(data_root=data_root, ann_file=ann_file_train, pipeline=train_pipeline),
)
train_cfg = dict(max_epochs=epochs)
param_scheduler = dict(warmup=max(1, epochs // 10), end=epochs)
