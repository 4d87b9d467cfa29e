# As vitb_charades_sigma_dino.py, with those values of SEVERE's code that suit a transformer: 32 frames at stride 8 of
# 112 x 112, dropout 0.5, 10 clips x 3 crops. 16 clips per step (8 GPUs x 2), learning rate 1e-4. Not used: SGD at
# 0.0375 with steps at epochs 41 and 49, which is meant for a convolutional network, and colours in the order BGR.
_base_ = ['vitb_charades_sigma_dino.py']

# the weights were trained on 14 x 14 tokens per time step
model = dict(backbone=dict(img_size=112, num_frames=32, position_grid=(16, 14, 14)), head=dict(dropout=0.5))
train_pipeline = [
    dict(
        type='ReadClip', decoder=_base_.decoder, sampling=dict(type='SampleCharadesClip', clip_len=32, frame_interval=8)
    ),
    dict(type='ShortSideCrop', size=112, short_side=(256, 340)),
    dict(type='FlipClip', prob=0.5),
    dict(type='PackVideoInputs'),
]
val_pipeline = [
    dict(
        type='ReadClip',
        decoder=_base_.decoder,
        sampling=dict(type='SampleCharadesClip', clip_len=32, frame_interval=8, num_clips=1),
    ),
    dict(type='CropViews', size=112, num_crops=1),
    dict(type='PackVideoInputs'),
]
test_pipeline = [
    dict(
        type='ReadClip',
        decoder=_base_.decoder,
        sampling=dict(type='SampleCharadesClip', clip_len=32, frame_interval=8, num_clips=_base_.num_clips),
    ),
    dict(type='CropViews', size=112, num_crops=3),
    dict(type='PackVideoInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
