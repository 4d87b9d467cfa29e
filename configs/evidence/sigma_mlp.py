# SIGMA-MLP at a size that a CPU trains: 8 frames of 112 x 112 in tubes of 2 x 16 x 16, 192 channels, 6 blocks, 256
# prototypes, on the frames that tools/cache_frames.py has decoded. 32 clips per step, learning rate 1e-3.
_base_ = ['../_base_/default_runtime.py']

data_root = 'data/evidence_frames'
ann_file_train = 'list.txt'
video_folder = ''
decoder = 'auto'
epochs = 100
batch_size = 32
num_workers = 1
mask_ratio = 0.75
frame_interval = 3
num_prototypes = 256
# absolute, for 32 clips per step
base_lr = 1e-3
drop_path_rate = 0.0
warmup_epochs = max(1, epochs // 20)
# epochs between checkpoints, all of which are kept
keep_every = 10

model = dict(
    type='SIGMA',
    data_preprocessor=dict(type='VideoDataPreprocessor'),
    backbone=dict(
        type='VideoVisionTransformer',
        arch=dict(embed_dims=192, depth=6, num_heads=3),
        img_size=112,
        num_frames=8,
        patch_size=16,
        tubelet_size=2,
        drop_path_rate=drop_path_rate,
    ),
    neck=dict(type='MaskedVideoDecoder', embed_dims=96, depth=2, num_heads=3),
    target=dict(type='MLPTarget', hidden_channels=(512, 512, 256), out_channels=128),
    head=dict(
        type='PrototypeHead',
        num_prototypes=num_prototypes,
        loss=dict(type='SwappedAssignmentLoss', epsilon=0.05, num_iters=10, temperature=0.1),
    ),
)

train_pipeline = [
    dict(
        type='ReadClip',
        decoder=decoder,
        sampling=dict(type='SampleStridedClip', clip_len=8, frame_interval=frame_interval),
    ),
    dict(type='MultiScaleCrop', size=112),
    dict(type='TubeMask', grid=(4, 7, 7), mask_ratio=mask_ratio),
    dict(type='PackVideoInputs'),
]
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    drop_last=True,
    sampler=dict(type='SeededSampler', shuffle=True),
    dataset=dict(
        type='VideoDataset',
        data_root=data_root,
        ann_file=ann_file_train,
        data_prefix=dict(video=video_folder),
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
    type='WarmupCosineLR', warmup=warmup_epochs, end=epochs, min_ratio=1 / 15, convert_to_iter_based=True
)
auto_scale_lr = dict(base_batch_size=32, enable=False)

default_hooks = dict(logger=dict(interval=50), checkpoint=dict(interval=keep_every, max_keep_ckpts=-1, save_last=True))
training_hooks = _base_.custom_hooks
custom_hooks = [*training_hooks, dict(type='CollapseHook')]
