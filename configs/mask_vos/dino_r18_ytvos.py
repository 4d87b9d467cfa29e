# Pre-training of the encoder of Mask-VOS: 300 epochs of DINO on single frames of YouTube-VOS, 64 per step, learning
# rate 7.5e-3. The paper gives only the number of epochs. The settings are those of DINO for ResNets, except for the
# number of prototypes, which is adapted to 3,471 videos. Then:
#    tools/train.py configs/mask_vos/r18_ytvos.py \
#        --cfg-options load_from=work_dirs/mask_vos/dino_r18_ytvos/epoch_300.pth
_base_ = ['../_base_/default_runtime.py']

data_root = 'data/youtube_vos_2018/train'
ann_file_train = ''
video_folder = 'JPEGImages'
# frames, decord, pyav or torchcodec
decoder = 'frames'
batch_size = 64
num_workers = 4
epochs = 300
warmup_epochs = 10
# per 256 frames
base_lr = 0.03

model = dict(type='DINO', backbone=dict(type='ResNetEncoder', depth=18), head=dict(num_prototypes=4096))
train_pipeline = [
    dict(type='ReadClip', decoder=decoder, sampling=dict(type='SampleStridedClip', clip_len=1)),
    dict(type='MultiCrop', num_large=2, num_small=8, large_scale=(0.14, 1.0), small_scale=(0.05, 0.14)),
    dict(type='PackClipViews'),
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
        folders=decoder == 'frames',
        pipeline=train_pipeline,
    ),
)
train_cfg = dict(type='ResumableEpochLoop', max_epochs=epochs)
optim_wrapper = dict(
    type='OptimWrapper',
    constructor='TransformerOptimWrapperConstructor',  # no weight decay of biases and norms
    optimizer=dict(type='SGD', lr=base_lr * batch_size / 256, momentum=0.9, weight_decay=1e-4),
)
param_scheduler = dict(
    type='WarmupCosineLR',
    warmup=warmup_epochs,
    end=epochs,
    min_ratio=1e-6 / (base_lr * batch_size / 256),
    convert_to_iter_based=True,
)
auto_scale_lr = dict(base_batch_size=batch_size, enable=False)
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='MomentumTeacherHook', momentum=0.996, temperatures=(0.04, 0.07), warmup_epochs=30, hold_epochs=1),
]
