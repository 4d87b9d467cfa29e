# A small Mask-VOS for the CPU, on a folder of videos: frames of 64 x 64, 4 clips per step, two epochs of correspondence
# and two of all losses at a learning rate of 1e-4. Everything but the method is reduced.
_base_ = ['../_base_/datasets/mask_vos.py', '../_base_/methods/mask_vos.py']

data_root = 'demo_data/videos'
video_folder = ''
decoder = 'auto'
batch_size = 4
num_workers = 2
step = 3
correspondence_epochs = 2
joint_epochs = 2
update_every = 1

train_pipeline = [
    dict(type='ReadClip', decoder=decoder, sampling=dict(type='SampleCorrespondingFrames', step=step, min_gap=5)),
    dict(type='LoadPseudoMasks'),
    dict(type='ScaleCropFlip', size=64, short_side=(64, 80), flip=0.5),
    dict(type='ChooseTargets', max_objects=2),
    dict(type='SecondView', zoom=(0.5, 1.0), flip=0.5),
    dict(type='PackClipViews'),
]
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    dataset=dict(
        data_root=data_root,
        data_prefix=dict(video=video_folder),
        folders=decoder == 'frames',
        pipeline=train_pipeline,
    ),
)
model = dict(mask_encoder=dict(fused=False))
train_cfg = dict(max_epochs=correspondence_epochs + joint_epochs)
param_scheduler = []
auto_scale_lr = dict(base_batch_size=4)
custom_hooks = [
    *_base_.training_hooks,
    dict(
        type='ReclusterHook',
        start=correspondence_epochs,
        interval=update_every,
        settings=dict(step=step, size=64, num_clusters=_base_.num_clusters, method=_base_.cluster_method),
    ),
]
