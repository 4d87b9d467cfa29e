# Linear probe on Something-Something V2, recipe of the SIGMA release's script: two augmented samples of every clip,
# stochastic depth active in the frozen backbone, 8 GPUs x 24 clips = 192 clips per step, accumulated over 2 steps to
# 384, learning rate 1.5e-3.
_base_ = ['vitb_ssv2.py']

batch_size = 24
global_batch = 384

model = dict(frozen_backbone_mode='train', backbone=dict(drop_path_rate=0.1))
# each clip is augmented twice
augmentation = [
    dict(type='RandAugmentClip', policy='rand-m7-n4-mstd0.5-inc1', size=224),
    dict(type='RandomResizedCropClip', size=224, scale=(0.25, 1.0), ratio=(3 / 4, 4 / 3)),
    dict(type='PackVideoInputs'),
]
train_pipeline = [
    dict(type='ReadClip', decoder=_base_.decoder, sampling=dict(type='SampleSegmentClip', clip_len=16)),
    dict(type='RepeatAugment', num_repeats=2, transforms=augmentation),
]
train_dataloader = dict(
    batch_size=batch_size, collate_fn=dict(type='flatten_collate'), dataset=dict(pipeline=train_pipeline)
)
val_dataloader = dict(batch_size=batch_size)
optim_wrapper = dict(optimizer=dict(lr=_base_.base_lr * global_batch / 256), accumulative_counts=2)
# both samples of a clip count
auto_scale_lr = dict(base_batch_size=2 * global_batch // 2)
