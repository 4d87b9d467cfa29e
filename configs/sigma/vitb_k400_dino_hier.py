# SIGMA-DINO with hierarchical prototypes, which the paper leaves to future work: coarse, middle and fine codebooks,
# each with its own Sinkhorn and loss. Kinetics-400, 800 epochs. 16 GPUs x 40 clips = 640 clips per step, learning rate
# 3.75e-4.
_base_ = ['../_base_/datasets/k400_pretrain.py', '../_base_/methods/sigma.py']

num_prototypes = [100, 600, 3000]

model = dict(head=dict(num_prototypes=num_prototypes, level_weights=[1 / 3, 1 / 3, 1 / 3]))
