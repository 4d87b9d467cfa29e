# A small Mask-VOS for the CPU: frames of 64 x 64, two epochs of correspondence and two of all losses, on a folder of
# videos. Reduced in everything but the method.
_base_ = ['../mask_vos/r18_ytvos.py']

data_root = 'demo_data/videos'
decoder = 'decord'
batch_size = 4
num_workers = 2
step = 3

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
    dataset=dict(data_root=data_root, data_prefix=dict(video=''), folders=decoder == 'frames', pipeline=train_pipeline),
)
correspondence_epochs, joint_epochs = 2, 2
train_cfg = dict(max_epochs=correspondence_epochs + joint_epochs)
param_scheduler = []
model = dict(mask_encoder=dict(fused=False))
custom_hooks = _base_.custom_hooks[:-1] + [
    dict(type='ReclusterHook', start=correspondence_epochs, interval=1, settings=dict(step=step, size=64)),
]
