# First stage of Mask-VOS as its code was released: the correspondence of DUL between 5 frames, 2 apart, in any order.
# Adam with beta1 0.5, biases at twice the learning rate, without decay, 1e-4 halved every 100 of 500 epochs, 16 clips
# a step. The paper's recipe is r18_ytvos_corr.py.
_base_ = ['anchor_r18_ytvos_corr.py']

sampling = [
    dict(type='SampleFramesAtGaps', num_frames=5, gaps=(2,), probabilities=(1.0,), step=_base_.step),
    dict(type='ShuffleFrames', keep=5),
]
train_pipeline = [dict(type='ReadClip', decoder=_base_.decoder, sampling=sampling), *_base_.train_pipeline[1:]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
train_cfg = dict(max_epochs=500)
optim_wrapper = dict(
    optimizer=dict(betas=(0.5, 0.999)),
    paramwise_cfg=dict(_delete_=True, custom_keys=dict(bias=dict(lr_mult=2.0, decay_mult=0.0))),
)
param_scheduler = [dict(type='StepLR', step_size=100, gamma=0.5)]
