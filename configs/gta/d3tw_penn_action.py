# D3TW (CVPR 2019): frames are classified, and have to fit the phases of their video in the right order better than in a
# wrong one. Needs phases in training; each of the 13 actions has its own labels. On Penn Action, one network for 13
# actions: 4 videos of one action per step, learning rate 1e-4, 150,000 steps.
_base_ = ['../_base_/datasets/penn_action.py', '../_base_/methods/gta.py']

phases_per_action = 6  # clean_and_jerk has the most

model = dict(head=dict(_delete_=True, type='TranscriptHead', num_labels=13 * phases_per_action))
train_pipeline = [
    dict(type='ReadClip', decoder=_base_.decoder, sampling=_base_.sampling),
    dict(type='PackAlignmentInputs', phases_per_action=phases_per_action),
]
train_dataloader = dict(dataset=dict(phases=_base_.phases, missing_phases='drop', pipeline=train_pipeline))
