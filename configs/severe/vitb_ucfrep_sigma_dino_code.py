# As vitb_ucfrep_sigma_dino with the values of SEVERE's code: frames of 112 x 112, weight decay 1e-3, frames outside the
# video filled as there. 32 videos per step (8 GPUs x 4), learning rate 5e-5.
_base_ = ['vitb_ucfrep_sigma_dino.py']

img_size = 112

# the weights were trained on 14 x 14 tokens per time
model = dict(backbone=dict(img_size=img_size, position_grid=(16, 14, 14)), reference_padding=True)
train_pipeline = _base_.train_pipeline
train_pipeline[1].size = img_size
test_pipeline = _base_.test_pipeline
test_pipeline[1].size = img_size
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
optim_wrapper = dict(optimizer=dict(weight_decay=1e-3))
