# MAST (CVPR 2020) alone, with its own recipe: pairs of whole frames at 256 x 256, 12 per step, Adam with learning rate
# 1e-3, halved after 0.4, 0.6, 0.8 and 1 million pairs. 545 epochs with one pair per video equal 20 epochs of the
# release, whose epochs cover every frame. Test with configs/vos/mast_r18.py.
_base_ = ['../_base_/datasets/mask_vos.py', '../_base_/methods/mask_vos.py']

epochs = 545
batch_size = 12
# absolute, for 12 pairs per step
base_lr = 1e-3

model = dict(
    backbone=dict(_delete_=True, type='MASTKeyEncoder'),
    correspondence=dict(_delete_=True, type='PhotometricCorrespondence', weight=1.0, radius=6),
    mask_encoder=None,
    decoder=None,
)
train_pipeline = [
    dict(
        type='ReadClip',
        decoder=_base_.decoder,
        sampling=dict(type='SampleFramesAtGaps', num_frames=2, step=_base_.step),
    ),
    dict(type='ResizeClip', size=256),
    dict(type='PackClipViews'),
]
train_dataloader = dict(batch_size=batch_size, dataset=dict(pipeline=train_pipeline))
train_cfg = dict(max_epochs=epochs)
optim_wrapper = dict(optimizer=dict(lr=base_lr, weight_decay=0.0))
param_scheduler = [dict(type='MultiStepLR', milestones=[33333, 50000, 66667, 83333], gamma=0.5, by_epoch=False)]
auto_scale_lr = dict(base_batch_size=12)
