# VideoMAE, ViT-S, Something-Something V2, 2400 epochs. 64 GPUs x 32 clips = 2048 clips per step, learning rate 1.2e-3.
_base_ = ['../_base_/datasets/ssv2_pretrain.py', '../_base_/methods/videomae.py']

epochs = 2400

model = dict(backbone=dict(arch='small'), neck=dict(embed_dims=192, num_heads=3))
param_scheduler = dict(end=epochs)
train_cfg = dict(max_epochs=epochs)
