# VideoMAE, ViT-S, Kinetics-400. 64 GPUs x 32 clips = 2048 clips per step, learning rate 1.2e-3.
_base_ = ['vitb_k400_pixel.py']

model = dict(backbone=dict(arch='small'), neck=dict(embed_dims=192, num_heads=3))
