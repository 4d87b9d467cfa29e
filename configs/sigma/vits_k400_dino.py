# SIGMA-DINO, ViT-S with the ViT-B target of DINO, Kinetics-400, 800 epochs. The release has no script for it. 16 GPUs x
# 40 clips = 640 clips per step, learning rate 3.75e-4.
_base_ = ['../_base_/datasets/k400_pretrain.py', '../_base_/methods/sigma.py']

model = dict(backbone=dict(arch='small'), neck=dict(embed_dims=192, num_heads=3))
