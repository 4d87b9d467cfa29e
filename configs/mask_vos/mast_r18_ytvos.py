# With the correspondence of MAST, its network and its learning rate of 1e-3, which halves as r18_ytvos's does; then all
# losses at 1e-5. Three frames per clip, each copied from the one before it, at gaps of 2, 5 or 8.
_base_ = ['r18_ytvos.py']

lr = 1e-3

model = dict(
    backbone=dict(_delete_=True, type='MASTKeyEncoder'),
    correspondence=dict(_delete_=True, type='PhotometricCorrespondence', weight=1.0, radius=6),
)
train_pipeline = [
    {**_base_.train_pipeline[0], 'sampling': dict(type='SampleFramesAtGaps', num_frames=3, step=_base_.step)},
    *_base_.train_pipeline[1:4],
    dict(type='PackClipViews'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
optim_wrapper = dict(optimizer=dict(lr=lr))
param_scheduler = [
    _base_.param_scheduler[0],
    {**_base_.param_scheduler[1], 'gamma': _base_.joint_lr / lr * 2 ** len(_base_.halvings)},
]
