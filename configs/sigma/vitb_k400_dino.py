# SIGMA-DINO, ViT-B, Kinetics-400, 800 epochs. 16 GPUs x 40 clips = 640 clips per step, learning rate 3.75e-4.
# (The release counts 801 epochs, so that epoch 800 is saved.)
_base_ = [
    '../_base_/models/sigma_vitb.py',
    '../_base_/datasets/k400_pretrain.py',
    '../_base_/schedules/pretrain_800e.py',
    '../_base_/default_runtime.py',
]

custom_hooks = _base_.custom_hooks + [dict(type='CollapseHook'), dict(type='PicturesHook')]
