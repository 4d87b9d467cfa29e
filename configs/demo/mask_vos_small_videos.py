# A Mask-VOS that a CPU can train in about an hour, from a folder with one folder of frames per video: frames of 128 x
# 128, 8 clips per step. 400 epochs of correspondence and 100 of all losses, learning rate 3e-4. Size, length and
# learning rates are reduced. Losses and clustering are those of configs/mask_vos/r18_ytvos.py; the mask encoder is not
# fused with the visual encoder, as in the paper.
_base_ = ['../_base_/datasets/mask_vos.py', '../_base_/methods/mask_vos.py']

data_root = 'data/videos_160px'
video_folder = ''
decoder = 'frames'
batch_size = 8
num_workers = 1
correspondence_epochs = 400
joint_epochs = 100
update_every = 50
# absolute
base_lr = 3e-4

train_pipeline = [
    dict(type='ReadClip', decoder=decoder, sampling=dict(type='SampleCorrespondingFrames', min_gap=5)),
    dict(type='LoadPseudoMasks'),
    dict(type='ScaleCropFlip', size=128, short_side=(128, 160), flip=0.5),
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
optim_wrapper = dict(optimizer=dict(lr=base_lr))
param_scheduler = []
auto_scale_lr = dict(base_batch_size=8)
default_hooks = dict(checkpoint=dict(interval=50, max_keep_ckpts=2))
custom_hooks = [
    *_base_.training_hooks,
    dict(
        type='ReclusterHook',
        start=correspondence_epochs,
        interval=update_every,
        settings=dict(size=256, num_clusters=_base_.num_clusters, method=_base_.cluster_method),
    ),
]
