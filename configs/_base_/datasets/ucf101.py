# UCF101, split 1, for classification: clips of 16 frames at stride 4, RandAugment and flip, tested on 5 clips x 3
# crops. HMDB51: --cfg-options data_root=data/hmdb51 num_classes=51
data_root = 'data/ucf101'
ann_file_train = 'train_split1.txt'
ann_file_val = 'test_split1.txt'
ann_file_test = ann_file_val
# folders of data_root that paths in the lists are relative to, such as videos_train and videos_val of mmaction2
video_folder = ''
video_folder_val = video_folder
video_folder_test = video_folder_val
# decord and torchcodec are not trusted with AVI files with B-frames, which these are
decoder = 'auto'
batch_size = 16
num_workers = 8
num_clips = 5

train_pipeline = [
    dict(type='ReadClip', decoder=decoder, sampling=dict(type='SampleDenseClip', clip_len=16, frame_interval=4)),
    dict(type='RandAugmentClip', policy='rand-m7-n4-mstd0.5-inc1', size=224),
    dict(type='RandomResizedCropClip', size=224, scale=(0.25, 1.0), ratio=(3 / 4, 4 / 3)),
    dict(type='FlipClip', prob=0.5),
    dict(type='PackVideoInputs'),
]
val_pipeline = [
    dict(
        type='ReadClip',
        decoder=decoder,
        sampling=dict(type='SampleDenseViews', clip_len=16, frame_interval=4, num_clips=1),
    ),
    dict(type='CropViews', size=224, num_crops=1),
    dict(type='PackVideoInputs'),
]
test_pipeline = [
    dict(
        type='ReadClip',
        decoder=decoder,
        sampling=dict(type='SampleDenseViews', clip_len=16, frame_interval=4, num_clips=num_clips),
    ),
    dict(type='CropViews', size=224, num_crops=3),
    dict(type='PackVideoInputs'),
]
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    pin_memory=True,
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
val_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    pin_memory=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='VideoDataset',
        data_root=data_root,
        ann_file=ann_file_val,
        data_prefix=dict(video=video_folder_val),
        pipeline=val_pipeline,
        test_mode=True,
    ),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    pin_memory=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='VideoDataset',
        data_root=data_root,
        ann_file=ann_file_test,
        data_prefix=dict(video=video_folder_test),
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
val_evaluator = test_evaluator = dict(type='AccuracyMetric')
