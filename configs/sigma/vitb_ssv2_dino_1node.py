# 8 GPUs x 16 clips = 128 clips per step, learning rate 7.5e-5.
_base_ = ['vitb_ssv2_dino.py']

train_dataloader = dict(batch_size=16)
optim_wrapper = dict(optimizer=dict(lr=1.5e-4 * 128 / 256))
auto_scale_lr = dict(base_batch_size=128)
