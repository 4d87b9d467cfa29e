# SIGMA-DINO, ViT-H, Kinetics-400, 800 epochs; not in the paper. 64 GPUs x 10 clips = 640 clips per step, learning rate
# 3.75e-4.
_base_ = ['../_base_/datasets/k400_pretrain.py', '../_base_/methods/sigma.py']

batch_size = 10

model = dict(backbone=dict(arch='huge', with_cp=True), neck=dict(embed_dims=640, num_heads=10))
train_dataloader = dict(batch_size=batch_size)
