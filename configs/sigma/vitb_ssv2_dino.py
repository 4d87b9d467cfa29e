# SIGMA-DINO, ViT-B, Something-Something V2, epsilon 0.03. 16 GPUs x 32 clips = 512 clips per step,
# learning rate 3.0e-4.
_base_ = [
    '../_base_/models/sigma_vitb.py',
    '../_base_/datasets/ssv2_pretrain.py',
    '../_base_/schedules/pretrain_800e.py',
    '../_base_/default_runtime.py',
]

batch_size = 32
global_batch = 512

model = dict(head=dict(loss=dict(epsilon=0.03)))
train_dataloader = dict(batch_size=batch_size)
optim_wrapper = dict(optimizer=dict(lr=_base_.base_lr * global_batch / 256))
auto_scale_lr = dict(base_batch_size=global_batch)
custom_hooks = _base_.custom_hooks + [dict(type='CollapseHook'), dict(type='PicturesHook')]
