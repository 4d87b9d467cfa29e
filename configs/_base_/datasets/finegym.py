# FineGym in groups of 4 videos of one class, 20 random frames of each, together with the frames 15 earlier. Tested by a
# support vector machine on single frames, which learns from every 25th frame.
#
# dataset: finegym101 and finegym290 are routines of one event in one order of sets, with two additional classes for the
# stages of vault; finegym99 and finegym288 are single elements, on which checkpoints of the former can be tested too.
dataset = 'finegym101'
data_root = 'data/gym'
ann_file_train = dict(
    finegym101='gym99_train_organised.json',
    finegym290='gym288_train_organised.json',
    finegym99='gym99_train_clips.json',
    finegym288='gym288_train_clips.json',
)[dataset]
ann_file_val = dict(
    finegym101='gym99_val_organised.json',
    finegym290='gym288_val_organised.json',
    finegym99='gym99_val_clips.json',
    finegym288='gym288_val_clips.json',
)[dataset]
ann_file_test = ann_file_val
# folders of data_root that paths in the lists are relative to
video_folder = ''
video_folder_val = video_folder
# auto, pyav, decord or torchcodec
decoder = 'auto'
fine_stride = 25
# videos per step, all of one class
batch_size = 4
# steps per epoch and process
groups_per_epoch = 1000
num_workers = 8
num_steps = 20

# each frame together with the one 15 frames earlier, as the network expects
sampling = dict(type='SampleAlignmentSteps', num_steps=num_steps, num_context=2, context_stride=15)
train_pipeline = [
    dict(type='ReadClip', decoder=decoder, sampling=sampling),
    dict(type='PackAlignmentInputs'),
]
test_pipeline = [
    dict(type='ReadClip', decoder=decoder, sampling=dict(type='SampleAllFrames')),
    dict(type='PackAlignmentInputs'),
]
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='ClassGroupSampler', group_size=batch_size, num_groups=groups_per_epoch),
    dataset=dict(
        type='PhaseVideoDataset',
        data_root=data_root,
        ann_file=ann_file_train,
        data_prefix=dict(video=video_folder),
        pipeline=train_pipeline,
    ),
)
tested = dict(
    type='PhaseVideoDataset',
    data_root=data_root,
    pipeline=test_pipeline,
    test_mode=True,
)
test_dataloader = dict(
    batch_size=1,
    num_workers=num_workers,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmengine.ConcatDataset',
        datasets=[
            dict(ann_file=ann_file_train, data_prefix=dict(video=video_folder), part='train', **tested),
            dict(ann_file=ann_file_test, data_prefix=dict(video=video_folder_val), part='val', **tested),
        ],
    ),
)
test_cfg = dict(type='TestLoop')
# for scores by event; for 288 and 290, the index that the converter writes contains the classes of each event
events = dict(VT=[*range(6), 99, 100], FX=list(range(6, 41)), BB=list(range(41, 74)), UB=list(range(74, 99)))
test_evaluator = dict(
    type='AlignmentMetric',
    measures=('fine_grained',),
    fine_stride=fine_stride,
    events=events if dataset in ('finegym101', 'finegym99') else None,
)
