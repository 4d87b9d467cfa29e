# Mask-VOS, ResNet-18, YouTube-VOS: 300 epochs of correspondence alone, learning rate 1e-4 and half of it every 100
# epochs, then 100 epochs of all losses at 1e-5, videos clustered anew every 10 epochs. 16 clips of 3 frames per step.
_base_ = [
    '../_base_/models/mask_vos_r18.py',
    '../_base_/datasets/clip_views.py',
    '../_base_/default_runtime.py',
]

correspondence_epochs, joint_epochs, update_every = 300, 100, 10
lr, joint_lr = 1e-4, 1e-5
halvings = sorted({correspondence_epochs // 3, 2 * correspondence_epochs // 3} - {0})
test_root = 'data/DAVIS'

train_cfg = dict(type='ResumableEpochLoop', max_epochs=correspondence_epochs + joint_epochs)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='Adam', lr=lr, weight_decay=5e-4),
    paramwise_cfg=dict(bias_decay_mult=0.0, norm_decay_mult=0.0),
)
param_scheduler = [
    dict(type='MultiStepLR', milestones=halvings, gamma=0.5),
    dict(type='MultiStepLR', milestones=[correspondence_epochs], gamma=joint_lr / lr * 2 ** len(halvings)),
]
auto_scale_lr = dict(base_batch_size=16, enable=False)
custom_hooks = _base_.custom_hooks + [
    dict(type='mmengine.SyncBuffersHook'),
    dict(type='ReclusterHook', start=correspondence_epochs, interval=update_every, settings=dict(step=_base_.step)),
]
test_dataloader = dict(
    batch_size=1,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='VOSDataset', layout='davis', data_root=test_root, year=2017, split='val'),
)
test_cfg = dict(type='TestLoop')
test_evaluator = dict(type='VOSMetric', out_dir='davis2017_val')
# before the first round of clustering, the segmentation has no part in the loss
find_unused_parameters = True
