# SIGMA-DINO, ViT-L, Kinetics-400, 800 epochs; not in the paper. 32 GPUs x 20 clips = 640 clips per step, learning rate
# 3.75e-4.
_base_ = ['../_base_/datasets/k400_pretrain.py', '../_base_/methods/sigma.py']

batch_size = 20

model = dict(backbone=dict(arch='large', with_cp=True), neck=dict(embed_dims=512, num_heads=8))
train_dataloader = dict(batch_size=batch_size)
