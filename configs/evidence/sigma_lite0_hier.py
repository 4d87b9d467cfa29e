# SIGMA with the frozen teacher and prototypes of three levels. 32 clips per step, learning rate 1e-3.
_base_ = ['sigma_lite0.py']

num_prototypes = [32, 128, 512]

model = dict(head=dict(num_prototypes=num_prototypes, level_weights=[1 / 3, 1 / 3, 1 / 3]))
