# Fine-tuning on Kinetics-400, ViT-B, recipe of the SIGMA paper's table: 75 epochs, RandAugment (9, 0.5), 16 clips per
# step (8 GPUs x 2), learning rate 6.25e-5, tested on 5 clips x 3 crops.
_base_ = ['../_base_/datasets/k400.py', '../_base_/methods/finetune.py']

epochs = 75
batch_size = 2
global_batch = 16
num_clips = 5

train_pipeline = [
    dict(type='ReadClip', decoder=_base_.decoder, sampling=dict(type='SampleDenseClip', clip_len=16, frame_interval=4)),
    dict(type='RandAugmentClip', policy='rand-m9-mstd0.5-inc1', size=224),
    dict(type='RandomResizedCropClip', size=224, scale=(0.25, 1.0), ratio=(3 / 4, 4 / 3)),
    dict(type='FlipClip', prob=0.5),
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
optim_wrapper = dict(optimizer=dict(lr=_base_.base_lr * global_batch / 256))
auto_scale_lr = dict(base_batch_size=global_batch)
param_scheduler = dict(end=epochs)
train_cfg = dict(max_epochs=epochs)
