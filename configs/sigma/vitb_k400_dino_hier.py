# Hierarchical prototypes, the paper's future work: coarse, middle and fine codebooks, each with its own Sinkhorn and
# loss. 640 clips per step, learning rate 3.75e-4.
_base_ = ['vitb_k400_dino.py']

model = dict(head=dict(num_prototypes=[100, 600, 3000], level_weights=[1 / 3, 1 / 3, 1 / 3]))
