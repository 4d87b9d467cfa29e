# Penn Action in groups of 4 videos of one action, 20 random frames of each, together with the frames 15 earlier. Tested
# on all frames. action=golf_swing selects the videos of one action. Pouring: --cfg-options data_root=data/pouring
# batch_size=2
data_root = 'data/penn_action'
action = ''
ann_file_train = f'train_{action}.txt' if action else 'train.txt'
ann_file_val = f'val_{action}.txt' if action else 'val.txt'
ann_file_test = ann_file_val
# folders of data_root that paths in the lists are relative to
video_folder = ''
video_folder_val = video_folder
phases = 'phases'
# frames, decord, pyav or torchcodec
decoder = 'frames'
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
    phases=phases,
    missing_phases='keep',
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
test_evaluator = dict(type='AlignmentMetric', stride=5, per_action=True)
