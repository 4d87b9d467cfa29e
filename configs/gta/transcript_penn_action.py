# D3TW: frames are classified, and fit the phases of their video in order better than in another order. Needs phases in
# training; those of each of the 13 actions are labels of their own. Otherwise as gta_penn_action.
_base_ = ['gta_penn_action.py']

phases_per_action = 6  # of clean_and_jerk, which has most
model = dict(head=dict(_delete_=True, type='TranscriptHead', num_labels=13 * phases_per_action))
train_pipeline = _base_.train_pipeline
train_pipeline[1].phases_per_action = phases_per_action
train_dataloader = dict(dataset=dict(phases=_base_.phases, missing_phases='drop', pipeline=train_pipeline))
