# Second stage of Mask-VOS as its code was released: masks alone, 1e-5 halved every 100 of 500 epochs, 12 clips a step,
# on the frozen ResNet of the first stage: --cfg-options
# load_from=work_dirs/mask_vos/r18_ytvos_release_corr/epoch_500.pth. Seven clusters of any size, without the code of
# space and time, made once; three of five shuffled frames; hard masks read from memory; tested with a memory of the
# first and the last 5 frames and one round. The released model is a ResNet-50: model.backbone.depth=50
# model.mask_encoder.depth=50. The paper's recipe is r18_ytvos.py.
_base_ = ['r18_ytvos_release_corr.py']

max_epochs = 500
batch_size = 12

sampling = [_base_.sampling[0], dict(type='ShuffleFrames', keep=3)]
model = dict(
    backbone=dict(frozen=True),
    correspondence=None,
    mask_encoder=dict(_delete_=True, type='FrameMaskEncoder', depth=18, fused=True),
    decoder=dict(_delete_=True, type='MaskDecoder'),
    segmentation=dict(hard_coarse=True),
    memory=dict(num_context=5, num_rounds=1),
)
train_pipeline = [dict(type='ReadClip', decoder=_base_.decoder, sampling=sampling), *_base_.train_pipeline[1:]]
train_dataloader = dict(batch_size=batch_size, dataset=dict(pipeline=train_pipeline))
train_cfg = dict(max_epochs=max_epochs)
optim_wrapper = dict(optimizer=dict(lr=1e-5))
auto_scale_lr = dict(base_batch_size=batch_size)
settings = dict(step=_base_.step, num_clusters=7, code_weight=0.0, max_share=1.0, num_iters=300)
custom_hooks = [*_base_.training_hooks, dict(type='ReclusterHook', start=0, interval=max_epochs, settings=settings)]
