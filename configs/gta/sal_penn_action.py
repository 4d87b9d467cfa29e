# Shuffle and Learn (ECCV 2016): classifies the order of three frames. Embeddings are not normalised. On Penn Action,
# one network for 13 actions: 4 videos of one action per step, learning rate 1e-4, 150,000 steps.
_base_ = ['../_base_/datasets/penn_action.py', '../_base_/methods/sal.py']
