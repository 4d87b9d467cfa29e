# SIGMA-MLP, ViT-B, Kinetics-400. The release has no script for it; its weights have 4000 prototypes.
# 16 GPUs x 40 clips = 640 clips per step, learning rate 3.75e-4.
_base_ = ['vitb_k400_dino.py']

model = dict(target=dict(_delete_=True, type='MLPTarget'), head=dict(num_prototypes=4000))
