# Mask-VOS with the correspondence of CRW (table 4f of the paper) and its recipe: Kinetics-400, 4 frames at 8 per
# second, each cropped separately, random walks over patches, 20 clips per step, Adam with learning rate 1e-4,
# multiplied by 0.3 after 20 of 25 epochs. Then 8 epochs of all losses at 1e-5, with clustering every 4 epochs. The 8
# epochs are our choice: the paper's 100 epochs would be 24 million clips on Kinetics. To walk over every fourth cell of
# the keys of whole frames instead of patches, so that both losses share one pass: model.correspondence.nodes=cells
# model.correspondence.cell_stride=4
_base_ = ['../_base_/datasets/mask_vos.py', '../_base_/methods/mask_vos.py']

data_root = 'data/kinetics400'
ann_file_train = 'train.txt'
video_folder = ''
decoder = 'auto'
batch_size = 20
fps = 8
correspondence_epochs = 25
joint_epochs = 8
update_every = 4

model = dict(
    backbone=dict(key_layers=1, padding_mode='reflect'),
    correspondence=dict(
        _delete_=True,
        type='RandomWalkCorrespondence',
        nodes='patches',
        patch_size=64,
        patch_stride=32,
        dropout=0.1,
        temperature=0.05,
    ),
)
train_pipeline = [
    dict(type='ReadClip', decoder=decoder, sampling=dict(type='SampleClipAtRate', num_frames=4, fps=fps)),
    dict(type='LoadPseudoMasks'),
    dict(type='CropEachFrame', size=256, scale=(0.8, 0.95), ratio=(0.7, 1.3)),
    dict(type='ChooseTargets', max_objects=2),
    dict(type='PackClipViews'),
]
train_dataloader = dict(
    batch_size=batch_size,
    dataset=dict(
        data_root=data_root,
        ann_file=ann_file_train,
        optional_list='train.txt',
        data_prefix=dict(video=video_folder),
        folders=decoder == 'frames',
        pipeline=train_pipeline,
    ),
)
train_cfg = dict(max_epochs=correspondence_epochs + joint_epochs)
optim_wrapper = dict(optimizer=dict(weight_decay=0.0))
param_scheduler = [
    dict(type='MultiStepLR', milestones=[20, 30, 40], gamma=0.3, end=correspondence_epochs),
    dict(type='ConstantLR', factor=1 / 3, begin=correspondence_epochs, end=correspondence_epochs + joint_epochs + 1),
]
auto_scale_lr = dict(base_batch_size=20)
custom_hooks = [
    *_base_.training_hooks,
    dict(
        type='ReclusterHook',
        start=correspondence_epochs,
        interval=update_every,
        settings=dict(fps=fps, num_clusters=_base_.num_clusters, method=_base_.cluster_method),
    ),
]
