# SIGMA-DINO, ViT-B, Something-Something V2, 800 epochs, epsilon 0.03. 16 GPUs x 32 clips = 512 clips per step, learning
# rate 3.0e-4. The release's single-node script: --cfg-options batch_size=16 global_batch=128
_base_ = ['../_base_/datasets/ssv2_pretrain.py', '../_base_/methods/sigma.py']

global_batch = 512

model = dict(head=dict(loss=dict(epsilon=0.03)))
optim_wrapper = dict(optimizer=dict(lr=_base_.base_lr * global_batch / 256))
auto_scale_lr = dict(base_batch_size=global_batch)
