# D2TW: alignment in one direction, without cycle consistency. On Penn Action, one network for 13 actions: 4 videos of
# one action per step, learning rate 1e-4, 150,000 steps.
_base_ = ['../_base_/datasets/penn_action.py', '../_base_/methods/gta.py']

model = dict(head=dict(loss=dict(_delete_=True, type='D2TWLoss')))
