# VideoMAE, ViT-B, Kinetics-400. 64 GPUs x 32 clips = 2048 clips per step, learning rate 1.2e-3.
_base_ = ['vitb_k400_dino.py']

batch_size = 32
global_batch = 2048

model = dict(target=dict(_delete_=True, type='PixelTarget'), head=dict(_delete_=True, type='RegressionHead'))
train_dataloader = dict(batch_size=batch_size)
optim_wrapper = dict(optimizer=dict(lr=_base_.base_lr * global_batch / 256))
auto_scale_lr = dict(base_batch_size=global_batch)
custom_hooks = [hook for hook in _base_.custom_hooks if hook['type'] != 'CollapseHook']
