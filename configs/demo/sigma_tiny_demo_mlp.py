# A tiny SIGMA-MLP for small videos on the CPU: 8 frames of 64 x 64, 256 tokens, 64 prototypes. Everything but the
# method is reduced. 16 clips per step, learning rate 1e-3.
_base_ = ['../_base_/default_runtime.py']

data_root = 'demo_data'
ann_file_train = 'annotations/train.txt'
video_folder = ''
decoder = 'auto'
epochs = 15
batch_size = 8
num_workers = 1
# crops and masks of every clip that is read: 16 clips per step
num_samples = 2
mask_ratio = 0.75
num_prototypes = 64
# absolute, for 16 clips per step
base_lr = 1e-3

model = dict(
    type='SIGMA',
    data_preprocessor=dict(type='VideoDataPreprocessor'),
    backbone=dict(
        type='VideoVisionTransformer',
        arch=dict(embed_dims=128, depth=4, num_heads=4),
        img_size=64,
        num_frames=8,
        patch_size=8,
        tubelet_size=2,
    ),
    neck=dict(type='MaskedVideoDecoder', embed_dims=64, depth=2, num_heads=2),
    target=dict(type='MLPTarget', hidden_channels=(256, 256, 128), out_channels=64, patch_size=8),
    head=dict(
        type='PrototypeHead',
        num_prototypes=num_prototypes,
        loss=dict(type='SwappedAssignmentLoss', epsilon=0.05, num_iters=10, temperature=0.1),
    ),
)

read = [dict(type='ReadClip', decoder=decoder, sampling=dict(type='SampleStridedClip', clip_len=8, frame_interval=3))]
crop_and_mask = [
    dict(type='MultiScaleCrop', size=64),
    dict(type='TubeMask', grid=(4, 8, 8), mask_ratio=mask_ratio),
    dict(type='PackVideoInputs'),
]
repeated = [dict(type='RepeatAugment', num_repeats=num_samples, transforms=crop_and_mask)]
train_pipeline = [*read, *(repeated if num_samples > 1 else crop_and_mask)]
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    drop_last=True,
    sampler=dict(type='SeededSampler', shuffle=True),
    collate_fn=dict(type='flatten_collate'),
    dataset=dict(
        type='VideoDataset',
        data_root=data_root,
        ann_file=ann_file_train,
        data_prefix=dict(video=video_folder),
        optional_list='annotations/train.txt',
        pipeline=train_pipeline,
    ),
)
train_cfg = dict(type='ResumableEpochLoop', max_epochs=epochs)
optim_wrapper = dict(
    type='OptimWrapper',
    constructor='TransformerOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=base_lr, betas=(0.9, 0.95), weight_decay=0.05),
)
param_scheduler = dict(
    type='WarmupCosineLR', warmup=max(1, epochs // 10), end=epochs, min_ratio=1 / 15, convert_to_iter_based=True
)
auto_scale_lr = dict(base_batch_size=16, enable=False)

default_hooks = dict(logger=dict(interval=10))
training_hooks = _base_.custom_hooks
custom_hooks = [*training_hooks, dict(type='CollapseHook')]
