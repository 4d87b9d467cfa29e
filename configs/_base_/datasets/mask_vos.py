# Training: three frames of a YouTube-VOS video, in two views each, with pseudo masks where they exist. Test:
# dataset_test is davis2016, davis2017, or one whose masks are on a test server, for which <out_dir>.zip is
# written: davis2017_testdev, ytvos2018, ytvos2019.
data_root = 'data/youtube_vos_2018/train'
ann_file_train = ''
video_folder = 'JPEGImages'
# frames, decord, pyav or torchcodec
decoder = 'frames'
# distance between frames; YouTube-VOS provides every fifth frame only
step = 1
batch_size = 16
num_workers = 4
dataset_test = 'davis2017'
data_root_test = dict(
    davis2016='data/DAVIS',
    davis2017='data/DAVIS',
    davis2017_testdev='data/DAVIS',
    ytvos2018='data/youtube_vos_2018',
    ytvos2019='data/youtube_vos_2019',
)[dataset_test]

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
        ann_file=ann_file_train,
        data_prefix=dict(video=video_folder),
        folders=decoder == 'frames',
        pipeline=train_pipeline,
    ),
)
videos = dict(
    davis2016=dict(layout='davis', year=2016, split='val'),
    davis2017=dict(layout='davis', year=2017, split='val'),
    davis2017_testdev=dict(layout='davis', year=2017, split='test-dev'),
    ytvos2018=dict(layout='youtube_vos', split='valid'),
    ytvos2019=dict(layout='youtube_vos', split='valid'),
)[dataset_test]
results = dict(
    davis2016=dict(out_dir='davis2016_val', fps=24),
    davis2017=dict(out_dir='davis2017_val', fps=24),
    davis2017_testdev=dict(out_dir='davis2017_test-dev', score=False, archive=True),
    ytvos2018=dict(out_dir='ytvos_valid', score=False, archive=True, top_folder='Annotations'),
    ytvos2019=dict(out_dir='ytvos_valid', score=False, archive=True, top_folder='Annotations'),
)[dataset_test]
test_dataloader = dict(
    batch_size=1,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='VOSDataset', data_root=data_root_test, **videos),
)
test_cfg = dict(type='TestLoop')
test_evaluator = dict(type='VOSMetric', **results)
