# Fine-tuning of the tiny demo model on the motion classes of the demo dataset: 8 frames of 64 x 64, 16 clips per step,
# learning rate 2e-3. Everything but the method is reduced.
_base_ = ['../_base_/default_runtime.py']

data_root = 'demo_data'
ann_file_train = 'annotations/train.txt'
ann_file_val = 'annotations/val.txt'
ann_file_test = ann_file_val
# of each list, below data_root
video_folder = ''
video_folder_val = video_folder
video_folder_test = video_folder_val
decoder = 'auto'
epochs = 30
batch_size = 16
num_workers = 2
num_classes = 10
# absolute, for 16 clips per step
base_lr = 2e-3

model = dict(
    type='VideoClassifier',
    data_preprocessor=dict(type='VideoDataPreprocessor'),
    backbone=dict(
        type='VideoVisionTransformer',
        arch=dict(embed_dims=128, depth=4, num_heads=4),
        img_size=64,
        num_frames=8,
        patch_size=8,
        tubelet_size=2,
        drop_path_rate=0.1,
        final_norm=False,
    ),
    head=dict(type='ClassificationHead', num_classes=num_classes, label_smoothing=0.1),
)

train_pipeline = [
    dict(type='ReadClip', decoder=decoder, sampling=dict(type='SampleDenseClip', clip_len=8, frame_interval=3)),
    dict(type='RandomResizedCropClip', size=64, scale=(0.5, 1.0)),
    dict(type='PackVideoInputs'),
]
val_pipeline = [
    dict(
        type='ReadClip',
        decoder=decoder,
        sampling=dict(type='SampleDenseViews', clip_len=8, frame_interval=3, num_clips=1),
    ),
    dict(type='CropViews', size=64),
    dict(type='PackVideoInputs'),
]
test_pipeline = [
    dict(
        type='ReadClip',
        decoder=decoder,
        sampling=dict(type='SampleDenseViews', clip_len=8, frame_interval=3, num_clips=3),
    ),
    dict(type='CropViews', size=64),
    dict(type='PackVideoInputs'),
]
videos = dict(type='VideoDataset', data_root=data_root)
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    drop_last=True,
    sampler=dict(type='SeededSampler', shuffle=True),
    dataset=dict(ann_file=ann_file_train, data_prefix=dict(video=video_folder), pipeline=train_pipeline, **videos),
)
val_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        ann_file=ann_file_val,
        data_prefix=dict(video=video_folder_val),
        pipeline=val_pipeline,
        test_mode=True,
        **videos,
    ),
)
test_dataloader = dict(
    batch_size=4,
    num_workers=num_workers,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        ann_file=ann_file_test,
        data_prefix=dict(video=video_folder_test),
        pipeline=test_pipeline,
        test_mode=True,
        **videos,
    ),
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
val_evaluator = test_evaluator = dict(type='AccuracyMetric')
train_cfg = dict(type='ResumableEpochLoop', max_epochs=epochs, val_interval=5)
optim_wrapper = dict(
    type='OptimWrapper',
    constructor='TransformerOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=base_lr, betas=(0.9, 0.999), weight_decay=0.05),
    paramwise_cfg=dict(layer_decay=0.75),
)
param_scheduler = dict(
    type='WarmupCosineLR', warmup=max(1, epochs // 10), end=epochs, min_ratio=1e-3, convert_to_iter_based=True
)
auto_scale_lr = dict(base_batch_size=16, enable=False)
default_hooks = dict(
    checkpoint=dict(interval=5, max_keep_ckpts=2, save_best='acc/top1', rule='greater'), logger=dict(interval=10)
)
custom_hooks = [
    dict(type='NonFiniteLossHook'),
    dict(type='BadVideoHook', max_share=0.05),
    dict(type='ProgressHook', keys=('loss', 'top1')),
    dict(type='PicturesHook'),
]
