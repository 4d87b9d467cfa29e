# Mask-VOS (CVPR 2023) with ResNet-18: all parts and both losses of the paper. 300 epochs of correspondence alone,
# learning rate 1e-4, halved every 100 epochs, then 100 epochs of all losses at 1e-5, 16 clips per step.
_base_ = ['../default_runtime.py']

correspondence_epochs = 300
joint_epochs = 100
# absolute, for 16 clips per step
base_lr = 1e-4
joint_lr = 1e-5
# epochs after which the learning rate is halved; none without the first stage
halvings = sorted({correspondence_epochs // 3, 2 * correspondence_epochs // 3} - {0})
# pseudo masks: clusters per video, kmeans or sinkhorn, and epochs between clusterings
num_clusters = 5
cluster_method = 'kmeans'
update_every = 10

model = dict(
    type='MaskVOS',
    data_preprocessor=dict(type='ClipViewsPreprocessor'),
    backbone=dict(type='KeyEncoder', depth=18, key_dims=128),
    correspondence=dict(type='ShortLongCorrespondence', short_weight=0.1, long_weight=0.5, temperature=0.05),
    mask_encoder=dict(type='FrameMaskEncoder', depth=18, fused=True),
    decoder=dict(type='MaskDecoder'),
    segmentation=dict(weight=1.0, num_objects=2, temperature=0.05, num_rounds=1),
    memory=dict(num_context=20, k=10, radius=12, temperature=0.05, num_rounds=3),
)
train_cfg = dict(type='ResumableEpochLoop', max_epochs=correspondence_epochs + joint_epochs)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='Adam', lr=base_lr, weight_decay=5e-4),
    paramwise_cfg=dict(bias_decay_mult=0.0, norm_decay_mult=0.0),
)
param_scheduler = [
    dict(type='MultiStepLR', milestones=halvings, gamma=0.5),
    dict(type='MultiStepLR', milestones=[correspondence_epochs], gamma=joint_lr / base_lr * 2 ** len(halvings)),
]
auto_scale_lr = dict(base_batch_size=16, enable=False)
# configs that train masks add the hook that clusters the videos
training_hooks = [*_base_.custom_hooks, dict(type='mmengine.SyncBuffersHook')]
custom_hooks = training_hooks
# before the first round of clustering, the loss does not include the segmentation
find_unused_parameters = True
