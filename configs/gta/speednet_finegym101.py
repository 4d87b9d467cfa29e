# SpeedNet: is a clip sped up; frames at equal distances, embeddings of any length. On FineGym101, routines whose sets
# have one order; otherwise as gta_finegym101.
_base_ = ['gta_finegym101.py']

model = dict(neck=dict(normalize=False), head=dict(_delete_=True, type='SpeedHead'))
train_pipeline = _base_.train_pipeline
train_pipeline[0].sampling.sampling = 'stride'
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
