# SIGMA-MLP, ViT-S, Kinetics-400, 4000 prototypes. 16 GPUs x 40 clips = 640 clips per step, learning rate 3.75e-4.
_base_ = ['vits_k400_dino.py']

model = dict(target=dict(_delete_=True, type='MLPTarget'), head=dict(num_prototypes=4000))
