# As vitb_charades_sigma_dino with the values of SEVERE's code that suit a transformer: 32 frames at stride 8 of
# 112 x 112, dropout 0.5, 10 clips x 3 crops. 16 clips per step (8 GPUs x 2), learning rate 1e-4. Left out: SGD at
# 0.0375 with steps at epochs 41 and 49, made for a convolutional network, and colours in the order BGR.
_base_ = ['vitb_charades_sigma_dino.py']

img_size = 112
clip_len = 32

# the weights were trained on 14 x 14 tokens per time
model = dict(backbone=dict(img_size=img_size, num_frames=clip_len, position_grid=(16, 14, 14)), head=dict(dropout=0.5))
train_pipeline, val_pipeline, test_pipeline = _base_.train_pipeline, _base_.val_pipeline, _base_.test_pipeline
train_pipeline[0].sampling.clip_len = clip_len
val_pipeline[0].sampling.clip_len = clip_len
test_pipeline[0].sampling.clip_len = clip_len
train_pipeline[1].size = img_size
val_pipeline[1].size = img_size
test_pipeline[1].size = img_size
test_pipeline[1].num_crops = 3
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
