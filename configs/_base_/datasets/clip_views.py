# Three frames of a video, each twice, with pseudo masks where there are any
data_root = 'data/youtube_vos_2018/train'
ann_file = ''
video_folder = 'JPEGImages'
decoder = 'frames'
step = 1
batch_size = 16
num_workers = 4

train_pipeline = [
    dict(type='ReadClip', decoder=decoder, sampling=dict(type='SampleCorrespondingFrames', step=step, min_gap=5)),
    dict(type='LoadPseudoMasks'),
    dict(type='ScaleCropFlip', size=256, short_side=(256, 320), flip=0.5),
    dict(type='ChooseTargets', max_objects=2),
    dict(type='SecondView', zoom=(0.5, 1.0), flip=0.5),
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
        ann_file=ann_file,
        data_prefix=dict(video=video_folder),
        folders=decoder == 'frames',
        pipeline=train_pipeline,
    ),
)
