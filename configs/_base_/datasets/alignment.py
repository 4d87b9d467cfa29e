# Groups of 4 videos of one class, 20 random frames of each with the one 15 frames before; tested on all frames. A data
# set says where its lists are.
data_root = 'data'
train_list = 'train.txt'
val_list = 'val.txt'
phases = 'phases'
decoder = 'frames'
group_size = 4
groups_per_epoch = 1000
num_workers = 8
num_steps = 20
num_context = 2
context_stride = 15

train_pipeline = [
    dict(
        type='ReadClip',
        decoder=decoder,
        sampling=dict(
            type='SampleAlignmentSteps', num_steps=num_steps, num_context=num_context, context_stride=context_stride
        ),
    ),
    dict(type='PackAlignmentInputs'),
]
test_pipeline = [
    dict(type='ReadClip', decoder=decoder, sampling=dict(type='SampleAllFrames')),
    dict(type='PackAlignmentInputs'),
]
train_dataloader = dict(
    batch_size=group_size,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='ClassGroupSampler', group_size=group_size, num_groups=groups_per_epoch),
    dataset=dict(
        type='PhaseVideoDataset',
        data_root=data_root,
        ann_file=train_list,
        data_prefix=dict(video=''),
        pipeline=train_pipeline,
    ),
)
tested = dict(
    type='PhaseVideoDataset',
    data_root=data_root,
    data_prefix=dict(video=''),
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
        datasets=[dict(tested, ann_file=train_list, part='train'), dict(tested, ann_file=val_list, part='val')],
    ),
)
test_cfg = dict(type='TestLoop')
test_evaluator = dict(type='AlignmentMetric', stride=5, per_action=True)
