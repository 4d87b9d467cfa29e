# TCN: each frame and one up to 5 frames before it, n-pairs; embeddings of any length. On FineGym99, single elements as
# they are; otherwise as gta_finegym99.
_base_ = ['gta_finegym99.py']

model = dict(neck=dict(normalize=False), head=dict(loss=dict(_delete_=True, type='TCNLoss', kind='n_pairs')))
train_pipeline = _base_.train_pipeline
train_pipeline[0].sampling.positives = 5
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
