# LAV: Soft-DTW and a contrast within each video. On Penn Action, 13 actions in one network; otherwise as
# gta_penn_action.
_base_ = ['gta_penn_action.py']

model = dict(head=dict(loss=dict(_delete_=True, type='LAVLoss')))
