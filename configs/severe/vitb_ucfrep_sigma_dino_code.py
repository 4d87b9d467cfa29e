# As vitb_ucfrep_sigma_dino.py, with the values of SEVERE's code: frames of 112 x 112, weight decay 1e-3, and its
# padding outside the video. 32 videos per step (8 GPUs x 4), learning rate 5e-5.
_base_ = ['vitb_ucfrep_sigma_dino.py']

# the weights were trained on 14 x 14 tokens per time step
model = dict(backbone=dict(img_size=112, position_grid=(16, 14, 14)), reference_padding=True)
train_pipeline = [
    dict(
        type='ReadClip',
        decoder=_base_.decoder,
        sampling=dict(type='SampleRepetitions', random=True, min_cycles=2, max_frames=300),
    ),
    dict(type='Letterbox', size=112),
    dict(type='FlipClip', prob=0.5),
    dict(type='PackRepetitionInputs'),
]
test_pipeline = [
    dict(type='ReadClip', decoder=_base_.decoder, sampling=dict(type='SampleRepetitions', random=False)),
    dict(type='Letterbox', size=112),
    dict(type='PackRepetitionInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
optim_wrapper = dict(optimizer=dict(weight_decay=1e-3))
