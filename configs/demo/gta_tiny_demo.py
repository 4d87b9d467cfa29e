# A small GTA for the CPU on the demo set: stage 3 of a ResNet-18 from scratch, frames of 64 x 64, groups of 4 videos of
# one class, 12 steps each. Reduced in everything but the method.
_base_ = ['../_base_/default_runtime.py']

data_root = 'demo_data'
train_list, val_list = 'annotations/train.txt', 'annotations/val.txt'
decoder = 'decord'
group_size = 4
epochs = 20
num_workers = 2
num_steps = 12
context_stride = 5
lr = 1e-3

model = dict(
    type='GTA',
    data_preprocessor=dict(type='AlignmentPreprocessor', size=64),
    backbone=dict(type='ResNetEncoder', depth=18, out_stage=3),
    neck=dict(
        type='ContextEmbedder',
        num_context=2,
        conv_channels=(64, 64),
        fc_channels=(64,),
        out_channels=32,
        # what happens here is a matter of where things are, which the maximum over space of the paper does not tell
        pool='flatten',
        map_size=(8, 8),
    ),
    head=dict(type='AlignmentHead', loss=dict(type='GTALoss')),
    train_mode='scratch',
    context_stride=context_stride,
)
train_pipeline = [
    dict(
        type='ReadClip',
        decoder=decoder,
        sampling=dict(type='SampleAlignmentSteps', num_steps=num_steps, num_context=2, context_stride=context_stride),
    ),
    dict(type='PackAlignmentInputs'),
]
test_pipeline = [
    dict(type='ReadClip', decoder=decoder, sampling=dict(type='SampleAllFrames')),
    dict(type='PackAlignmentInputs'),
]
dataset = dict(type='PhaseVideoDataset', data_root=data_root, data_prefix=dict(video=''))
train_dataloader = dict(
    batch_size=group_size,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='ClassGroupSampler', group_size=group_size),
    dataset=dict(ann_file=train_list, pipeline=train_pipeline, **dataset),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=num_workers,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmengine.ConcatDataset',
        datasets=[
            dict(ann_file=train_list, phases='phases', part='train', pipeline=test_pipeline, test_mode=True, **dataset),
            dict(ann_file=val_list, phases='phases', part='val', pipeline=test_pipeline, test_mode=True, **dataset),
        ],
    ),
)
test_cfg = dict(type='TestLoop')
test_evaluator = dict(type='AlignmentMetric')
train_cfg = dict(type='ResumableEpochLoop', max_epochs=epochs)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=lr, eps=1e-7))
param_scheduler = []
