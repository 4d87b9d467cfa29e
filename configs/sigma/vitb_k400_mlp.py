# SIGMA-MLP, ViT-B, Kinetics-400, 800 epochs. The release has no script for it; its weights have 4000 prototypes.
# 16 GPUs x 40 clips = 640 clips per step, learning rate 3.75e-4.
_base_ = ['../_base_/datasets/k400_pretrain.py', '../_base_/methods/sigma.py']

num_prototypes = 4000

model = dict(target=dict(_delete_=True, type='MLPTarget'), head=dict(num_prototypes=num_prototypes))
