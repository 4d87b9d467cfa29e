# VideoMAE, ViT-S, Kinetics-400, 800 epochs. 64 GPUs x 32 clips = 2048 clips per step, learning rate 1.2e-3.
_base_ = ['../_base_/datasets/k400_pretrain.py', '../_base_/methods/videomae.py']

batch_size = 32

model = dict(backbone=dict(arch='small'), neck=dict(embed_dims=192, num_heads=3))
train_dataloader = dict(batch_size=batch_size)
