# Attentive probe of V-JEPA 2 (4 blocks, 16 heads) on Kinetics-400, frozen ViT-B: 20 epochs, 128 clips per step (8 GPUs
# x 16), learning rate 1e-3, weight decay 0.1, no warm-up, no flip, 8 x 3 views. To try many learning rates at once,
# store tokens and use tools/probe.py attentive. README.md lists the differences from V-JEPA 2.
_base_ = ['../_base_/datasets/k400.py', '../_base_/methods/linear.py']

num_classes = 400
epochs = 20
batch_size = 16
# per 256 clips
base_lr = 2e-3
num_clips = 8

model = dict(
    data_preprocessor=dict(mixing=None),
    head=dict(_delete_=True, type='AttentiveHead', num_classes=num_classes, num_heads=16, depth=4),
)
train_pipeline = [
    dict(type='ReadClip', decoder=_base_.decoder, sampling=dict(type='SampleDenseClip', clip_len=16, frame_interval=4)),
    dict(type='RandAugmentClip', policy='rand-m7-n4-mstd0.5-inc1', size=224),
    dict(type='RandomResizedCropClip', size=224, scale=(0.25, 1.0), ratio=(3 / 4, 4 / 3)),
    dict(type='PackVideoInputs'),
]
test_pipeline = [
    dict(
        type='ReadClip',
        decoder=_base_.decoder,
        sampling=dict(type='SampleDenseViews', clip_len=16, frame_interval=4, num_clips=num_clips),
    ),
    dict(type='CropViews', size=224, num_crops=3),
    dict(type='PackVideoInputs'),
]
train_dataloader = dict(batch_size=batch_size, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(batch_size=batch_size)
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
optim_wrapper = dict(optimizer=dict(lr=base_lr * _base_.global_batch / 256, weight_decay=0.1))
param_scheduler = dict(warmup=0, end=epochs, min_ratio=0.0)
train_cfg = dict(max_epochs=epochs)
