# Linear probe on Something-Something V2 as the released script runs it: two augmented samples of every clip, stochastic
# depth active in the frozen backbone, 8 GPUs x 24 clips = 192 clips per step, accumulated over 2 steps to 384, learning
# rate 1.5e-3.
_base_ = ['vitb_ssv2.py']

global_batch = 384
batch_size = 24

model = dict(frozen_backbone_mode='train', backbone=dict(drop_path_rate=0.1))
train_pipeline = _base_.train_pipeline
repeated = [train_pipeline[0], dict(type='RepeatAugment', num_repeats=2, transforms=train_pipeline[1:])]
train_dataloader = dict(batch_size=batch_size, collate_fn=dict(type='flatten_collate'), dataset=dict(pipeline=repeated))
optim_wrapper = dict(optimizer=dict(lr=_base_.base_lr * global_batch / 256), accumulative_counts=2)
auto_scale_lr = dict(base_batch_size=global_batch // 2)
