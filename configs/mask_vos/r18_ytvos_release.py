# Mask-VOS as its code was released, in two runs. The first learns correspondence alone, that of DUL between 5 frames, 2
# apart, in any order. The second, with masks=True load_from=FIRST/epoch_500.pth, learns masks alone on the frozen
# ResNet of the first, from 3 of 5 such frames: seven clusters of any size without the code of space and time, made
# once; hard masks read from memory; tested with the first and the last 5 frames and one round. Both: Adam with beta1
# 0.5, biases at twice the rate and without decay; 1e-4 and 16 clips per step, for masks 1e-5 and 12, halved every 100
# of 500 epochs. The released model is a ResNet-50: model.backbone.depth=50 model.mask_encoder.depth=50
_base_ = ['../_base_/datasets/mask_vos.py', '../_base_/methods/mask_vos.py']

masks = False
epochs = 500
batch_size = 12 if masks else 16
base_lr = 1e-5 if masks else 1e-4
anchors = dict(_delete_=True, type='AnchorCorrespondence', cross_weight=0.1, temporal_weight=1.0)
model = dict(
    backbone=dict(frozen=masks),
    correspondence=None if masks else anchors,
    segmentation=dict(hard_coarse=True),
    memory=dict(num_context=5, num_rounds=1),
    **({} if masks else dict(mask_encoder=None, decoder=None)),
)
sampling = [
    dict(type='SampleFramesAtGaps', num_frames=5, gaps=(2,), probabilities=(1.0,), step=_base_.step),
    dict(type='ShuffleFrames', keep=3 if masks else 5),
]
train_pipeline = [dict(type='ReadClip', decoder=_base_.decoder, sampling=sampling), *_base_.train_pipeline[1:]]
train_dataloader = dict(batch_size=batch_size, dataset=dict(pipeline=train_pipeline))
train_cfg = dict(max_epochs=epochs)
paramwise = dict(_delete_=True, custom_keys=dict(bias=dict(lr_mult=2.0, decay_mult=0.0)))
optim_wrapper = dict(optimizer=dict(lr=base_lr, betas=(0.5, 0.999)), paramwise_cfg=paramwise)
param_scheduler = [dict(type='StepLR', step_size=100, gamma=0.5)]
auto_scale_lr = dict(base_batch_size=batch_size)
settings = dict(step=_base_.step, num_clusters=7, code_weight=0.0, max_share=1.0, num_iters=300)
recluster = dict(type='ReclusterHook', start=0, interval=epochs, settings=settings)
custom_hooks = [*_base_.training_hooks, *([recluster] if masks else [])]
