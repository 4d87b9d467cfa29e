# Shuffle and Learn: the order of three frames; embeddings of any length. On Penn Action, 13 actions in one network: 4
# videos of one per step, learning rate 1e-4, 150,000 steps.
_base_ = ['../_base_/datasets/penn_action.py', '../_base_/methods/sal.py']
