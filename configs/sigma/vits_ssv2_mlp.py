# SIGMA-MLP, ViT-S, Something-Something V2, 2400 epochs, 4000 prototypes.
# 8 GPUs x 16 clips = 128 clips per step, learning rate 7.5e-5.
_base_ = ['vits_ssv2_dino.py']

num_prototypes = 4000

model = dict(target=dict(_delete_=True, type='MLPTarget'), head=dict(num_prototypes=num_prototypes))
