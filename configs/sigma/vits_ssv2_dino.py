# SIGMA-DINO, ViT-S (DINO ViT-B teacher), Something-Something V2, 2400 epochs, epsilon 0.05.
# 8 GPUs x 16 clips = 128 clips per step, learning rate 7.5e-5.
_base_ = ['vitb_ssv2_dino_1node.py']

epochs = 2400

model = dict(
    backbone=dict(arch='small'),
    neck=dict(embed_dims=192, num_heads=3),
    head=dict(loss=dict(epsilon=0.05)),
)
param_scheduler = dict(end=epochs)
train_cfg = dict(max_epochs=epochs)
