# Soft-DTW divergence of squared distances, per frame. On Penn Action, one network for 13 actions: 4 videos of one
# action per step, learning rate 1e-4, 150,000 steps.
_base_ = ['../_base_/datasets/penn_action.py', '../_base_/methods/gta.py']

model = dict(head=dict(loss=dict(_delete_=True, type='SoftDTWLoss', divergence=True, per_frame=True)))
