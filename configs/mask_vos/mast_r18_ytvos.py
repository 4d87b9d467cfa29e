# Mask-VOS with the correspondence of MAST (table 4f of the paper): its network and its learning rate of 1e-3, which is
# halved as in r18_ytvos.py; then all losses at 1e-5. 300 + 100 epochs, 16 clips per step. A clip has three frames, 2, 5
# or 8 frames apart, each reconstructed from the one before it.
_base_ = ['r18_ytvos.py']

# absolute, for 16 clips per step
base_lr = 1e-3

model = dict(
    backbone=dict(_delete_=True, type='MASTKeyEncoder'),
    correspondence=dict(_delete_=True, type='PhotometricCorrespondence', weight=1.0, radius=6),
)
train_pipeline = [
    dict(
        type='ReadClip',
        decoder=_base_.decoder,
        sampling=dict(type='SampleFramesAtGaps', num_frames=3, step=_base_.step),
    ),
    dict(type='LoadPseudoMasks'),
    dict(type='ScaleCropFlip', size=256, short_side=(256, 320), flip=0.5),
    dict(type='ChooseTargets', max_objects=2),
    dict(type='PackClipViews'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
optim_wrapper = dict(optimizer=dict(lr=base_lr))
param_scheduler = [
    dict(type='MultiStepLR', milestones=_base_.halvings, gamma=0.5),
    dict(
        type='MultiStepLR',
        milestones=[_base_.correspondence_epochs],
        gamma=_base_.joint_lr / base_lr * 2 ** len(_base_.halvings),
    ),
]
