# Mask-VOS at a size that a CPU trains: crops of 128 x 128, ResNet-18, a mask encoder that is not fused, a decoder that
# is given 64 channels instead of 512, on the frames that tools/cache_frames.py --short-side 240 has decoded; tested on
# frames of 240 x 424. 8 clips per step, learning rate 3e-4, correspondence and then all losses; joint_epochs=0 for
# correspondence alone. Pseudo masks and memory are those of the paper and its release. Other ones: keep_aspect=True for
# 32 x 57 cells of wide frames, with cluster_size=480 for 60 x 107; soft_masks=True for soft outlines;
# tested_memory=True to train the decoder with the memory of testing, its own masks, its rounds and its affinity, on two
# more frames. With rounds, a folder, the pseudo masks are those of another run, and none are made. With decayed=True,
# the learning rate ends at a hundredth.
_base_ = ['../_base_/datasets/mask_vos.py', '../_base_/methods/mask_vos.py']

data_root = 'data/evidence_frames'
ann_file_train = 'list.txt'
video_folder = ''
decoder = 'auto'
batch_size = 8
num_workers = 1
step = 1
correspondence_epochs = 20
joint_epochs = 10
update_every = 5
# absolute
base_lr = 3e-4
max_objects = 2
# channels of what the decoder is given
width = 64
cluster_size = 256
keep_aspect = False
soft_masks = False
tested_memory = False
rounds = None
decayed = False
# of testing; the window is that of 480p, halved
memory = dict(num_context=20, k=10, radius=6, num_rounds=3)

train_pipeline = [
    dict(
        type='ReadClip',
        decoder=decoder,
        sampling=dict(type='SampleCorrespondingFrames', step=step, min_gap=5, num_following=2 if tested_memory else 0),
    ),
    dict(type='LoadPseudoMasks', folder=rounds, soft=soft_masks),
    dict(type='ScaleCropFlip', size=128, short_side=(128, 160), flip=0.5),
    dict(type='ChooseTargets', max_objects=max_objects),
    dict(type='SecondView', zoom=(0.5, 1.0), flip=0.5),
    dict(type='PackClipViews'),
]
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    dataset=dict(
        data_root=data_root,
        ann_file=ann_file_train,
        data_prefix=dict(video=video_folder),
        folders=decoder == 'frames',
        pipeline=train_pipeline,
    ),
)
model = dict(
    backbone=dict(width=width),
    mask_encoder=dict(fused=False, width=width),
    decoder=dict(width=width),
    segmentation=dict(num_objects=max_objects, **(dict(feedback=True, **memory) if tested_memory else {})),
    memory=memory,
    geometry=dict(size=(240, 424)),
)
train_cfg = dict(max_epochs=correspondence_epochs + joint_epochs)
optim_wrapper = dict(optimizer=dict(lr=base_lr))
param_scheduler = []
if decayed:
    epochs = correspondence_epochs + joint_epochs
    param_scheduler = [dict(type='LinearLR', start_factor=1.0, end_factor=0.01, end=epochs, convert_to_iter_based=True)]
auto_scale_lr = dict(base_batch_size=8)
default_hooks = dict(logger=dict(interval=50), checkpoint=dict(interval=5, max_keep_ckpts=-1))
custom_hooks = _base_.training_hooks
if not rounds:
    custom_hooks = [
        *custom_hooks,
        dict(
            type='ReclusterHook',
            start=correspondence_epochs,
            interval=update_every,
            settings=dict(
                step=step,
                size=cluster_size,
                keep_aspect=keep_aspect,
                num_clusters=_base_.num_clusters,
                method=_base_.cluster_method,
            ),
        ),
    ]
