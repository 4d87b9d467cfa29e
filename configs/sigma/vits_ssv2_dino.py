# SIGMA-DINO, ViT-S with the ViT-B target of DINO, Something-Something V2, 2400 epochs, epsilon 0.05. 8 GPUs x 16 clips
# = 128 clips per step, learning rate 7.5e-5.
_base_ = ['../_base_/datasets/ssv2_pretrain.py', '../_base_/methods/sigma.py']

epochs = 2400
batch_size = 16
global_batch = 128

model = dict(backbone=dict(arch='small'), neck=dict(embed_dims=192, num_heads=3))
train_dataloader = dict(batch_size=batch_size)
optim_wrapper = dict(optimizer=dict(lr=_base_.base_lr * global_batch / 256))
auto_scale_lr = dict(base_batch_size=global_batch)
param_scheduler = dict(end=epochs)
train_cfg = dict(max_epochs=epochs)
