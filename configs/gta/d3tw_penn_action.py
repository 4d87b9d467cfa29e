# D3TW: frames are classified, and fit the phases of their video in order better than in another order. Needs phases
# in training; those of each of the 13 actions are labels of their own. On Penn Action, 13 actions in one network: 4
# videos of one per step, learning rate 1e-4, 150,000 steps.
_base_ = ['../_base_/datasets/penn_action.py', '../_base_/methods/gta.py']

phases_per_action = 6  # of clean_and_jerk, which has most

model = dict(head=dict(_delete_=True, type='TranscriptHead', num_labels=13 * phases_per_action))
train_pipeline = [
    dict(type='ReadClip', decoder=_base_.decoder, sampling=_base_.sampling),
    dict(type='PackAlignmentInputs', phases_per_action=phases_per_action),
]
train_dataloader = dict(dataset=dict(phases=_base_.phases, missing_phases='drop', pipeline=train_pipeline))
