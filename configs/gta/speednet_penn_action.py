# SpeedNet: is a clip sped up; frames at equal distances, embeddings of any length. On Penn Action, 13 actions in one
# network; otherwise as gta_penn_action.
_base_ = ['gta_penn_action.py']

model = dict(neck=dict(normalize=False), head=dict(_delete_=True, type='SpeedHead'))
train_pipeline = _base_.train_pipeline
train_pipeline[0].sampling.sampling = 'stride'
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
