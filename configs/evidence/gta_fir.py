# GTA on persons who sit down and rise, and who lie down and rise, 22 videos with three phases each, at a size that a
# CPU trains: EfficientNet-Lite0, which has seen the labels of ImageNet, at its stride of 16, on frames of 112 x 112;
# each with the one 6 frames (half a second) earlier; two convolutions of 32 channels. 4 videos per step, learning rate
# 1e-3. Without network, encoder_weights is a file with timm's names.
_base_ = ['../_base_/methods/gta.py', '../_base_/datasets/penn_action.py']

data_root = 'data/fir_phases'
ann_file_train = 'train.txt'
ann_file_val = 'val.txt'
ann_file_test = ann_file_val
encoder_weights = 'hub'
# only_bn, train_all or frozen
train_mode = 'frozen'
# frames between a frame and its context
context_stride = 6
phases_per_action = 3
num_workers = 1
decoder = 'auto'
epochs = 8
groups_per_epoch = 50
# absolute, for any batch size
base_lr = 1e-3

model = dict(
    data_preprocessor=dict(size=112),
    backbone=dict(
        _delete_=True,
        type='TimmEncoder',
        model_name='tf_efficientnet_lite0',
        weights=encoder_weights,
        stage=3,
        # frames come in -1..1
        mean=(127.5, 127.5, 127.5),
        std=(127.5, 127.5, 127.5),
    ),
    neck=dict(conv_channels=(32, 32), fc_channels=(128,), out_channels=64, dropout=0.3),
    train_mode=train_mode,
    context_stride=context_stride,
)
load_from = None
sampling = dict(context_stride=context_stride)
train_pipeline = [
    dict(type='ReadClip', decoder=decoder, sampling=dict(_base_.sampling, **sampling)),
    dict(type='PackAlignmentInputs'),
]
test_pipeline = [
    dict(type='ReadClip', decoder=decoder, sampling=dict(type='SampleAllFrames')),
    dict(type='PackAlignmentInputs'),
]
train_dataloader = dict(
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(num_groups=groups_per_epoch),
    dataset=dict(data_root=data_root, pipeline=train_pipeline),
)
tested = dict(
    type='PhaseVideoDataset',
    data_root=data_root,
    phases='phases',
    pipeline=test_pipeline,
    test_mode=True,
)
test_dataloader = dict(
    num_workers=num_workers,
    dataset=dict(
        datasets=[
            dict(ann_file=ann_file_train, data_prefix=dict(video=_base_.video_folder), part='train', **tested),
            dict(ann_file=ann_file_test, data_prefix=dict(video=_base_.video_folder_val), part='val', **tested),
        ],
    ),
)
test_evaluator = dict(
    stride=2, ks=(5,), fractions=(1.0,), measures=('kendall', 'classification', 'progression', 'retrieval', 'path')
)
optim_wrapper = dict(optimizer=dict(lr=base_lr))
train_cfg = dict(max_epochs=epochs)
default_hooks = dict(checkpoint=dict(interval=epochs))
