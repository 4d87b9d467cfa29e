# A small GTA for the CPU on the demo dataset: frames of 32 x 32, tokens of 4 x 4 pixels, two convolutions, trained from
# scratch in groups of 4 videos of one class with 12 steps each. Everything but the method is reduced.
#
# It learns to align the four classes that move across the frame, whose phase is visible from the position of the
# object. `make demo-align` generates 480 videos of them. Kendall's tau of the validation videos is 2 untrained, 30
# after these 20 epochs, and 67 with epochs=60 (docs/alignment.md). On all ten classes it learns nothing in 20 epochs. A
# ResNet-18 at this learning rate gave all frames the same embedding (loss_forth 2.98 = 0.1 * 12 * ln 12).
_base_ = ['../_base_/default_runtime.py']

data_root = 'demo_data'
ann_file_train = 'annotations/train.txt'
ann_file_val = 'annotations/val.txt'
ann_file_test = ann_file_val
# of each list, below data_root
video_folder = ''
video_folder_val = video_folder
decoder = 'auto'
# videos per step, all of one class
batch_size = 4
epochs = 20
groups_per_epoch = 50
classes = (0, 3)  # first and last: move_left, move_right, move_up, move_down
num_workers = 2
num_steps = 12
context_stride = 5
# absolute, for any batch size
base_lr = 1e-3

model = dict(
    type='GTA',
    # a flip would turn one of the four actions into another
    data_preprocessor=dict(type='AlignmentPreprocessor', size=32, flip=0.0),
    backbone=dict(
        type='VideoVisionTransformer',
        arch=dict(embed_dims=32, depth=0, num_heads=4),
        img_size=32,
        num_frames=2,
        patch_size=4,
        tubelet_size=2,
        dynamic_size=True,
    ),
    neck=dict(
        type='ContextEmbedder',
        num_context=2,
        conv_channels=(32, 8),
        fc_channels=(64,),
        out_channels=32,
        dropout=0.3,
        # the phase depends on positions, which the maximum over space of the paper discards
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
videos = dict(type='PhaseVideoDataset', data_root=data_root, label_range=classes)
train_videos = dict(ann_file=ann_file_train, data_prefix=dict(video=video_folder), **videos)
test_videos = dict(ann_file=ann_file_test, data_prefix=dict(video=video_folder_val), **videos)
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='ClassGroupSampler', group_size=batch_size, num_groups=groups_per_epoch),
    dataset=dict(pipeline=train_pipeline, **train_videos),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=num_workers,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmengine.ConcatDataset',
        datasets=[
            dict(phases='phases', part='train', pipeline=test_pipeline, test_mode=True, **train_videos),
            dict(phases='phases', part='val', pipeline=test_pipeline, test_mode=True, **test_videos),
        ],
    ),
)
test_cfg = dict(type='TestLoop')
test_evaluator = dict(type='AlignmentMetric')
train_cfg = dict(type='ResumableEpochLoop', max_epochs=epochs)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=base_lr, eps=1e-7))
param_scheduler = []
