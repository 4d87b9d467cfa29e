# 8 GPUs x 16 clips = 128 clips per step, learning rate 7.5e-5.
_base_ = ['vitb_ssv2_dino.py']

batch_size = 16
global_batch = 128

train_dataloader = dict(batch_size=batch_size)
optim_wrapper = dict(optimizer=dict(lr=_base_.base_lr * global_batch / 256))
auto_scale_lr = dict(base_batch_size=global_batch)
