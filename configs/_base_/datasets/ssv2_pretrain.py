# Something-Something V2 for pre-training: 16 frames at stride 2, tube mask of 90 %. Lists of "path label" lines (labels
# unused) or CSV files with a header, paths relative to data_root. If there is no list of this name, all videos in
# data_root are used.
data_root = 'data/sthv2'
ann_file_train = 'train.txt'
# folder of data_root that paths in the list are relative to, such as videos_train of mmaction2
video_folder = ''
# auto, pyav, decord or torchcodec
decoder = 'auto'
batch_size = 32
num_workers = 10
mask_ratio = 0.9
# crops and masks of every clip that is read; a step has batch_size * num_samples clips per GPU
num_samples = 1

read = [
    dict(
        type='ReadClip',
        decoder=decoder,
        sampling=dict(type='SampleStridedClip', clip_len=16, frame_interval=2),
    )
]
crop_and_mask = [
    dict(type='MultiScaleCrop', size=224),
    dict(type='TubeMask', grid=(8, 14, 14), mask_ratio=mask_ratio),
    dict(type='PackVideoInputs'),
]
repeated = [dict(type='RepeatAugment', num_repeats=num_samples, transforms=crop_and_mask)]
train_pipeline = [*read, *(repeated if num_samples > 1 else crop_and_mask)]
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    pin_memory=True,
    drop_last=True,
    sampler=dict(type='SeededSampler', shuffle=True),
    collate_fn=dict(type='flatten_collate'),
    dataset=dict(
        type='VideoDataset',
        data_root=data_root,
        ann_file=ann_file_train,
        data_prefix=dict(video=video_folder),
        optional_list='train.txt',
        pipeline=train_pipeline,
    ),
)
