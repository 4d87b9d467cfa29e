# Fine-tuning on Kinetics-400, ViT-S, as vitb_k400.py: 100 epochs, 32 clips per step (8 GPUs x 4), learning rate
# 1.25e-4, 7 x 3 views.
_base_ = ['../_base_/datasets/k400.py', '../_base_/methods/finetune.py']

model = dict(backbone=dict(arch='small'))
