# LAV: Soft-DTW and a contrast within each video. On Penn Action, 13 actions in one network: 4 videos of one per step,
# learning rate 1e-4, 150,000 steps.
_base_ = ['../_base_/datasets/penn_action.py', '../_base_/methods/gta.py']

model = dict(head=dict(loss=dict(_delete_=True, type='LAVLoss')))
