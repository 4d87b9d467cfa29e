# Fine-tuning on Kinetics-400, ViT-B, as the paper's table has it: 75 epochs, RandAugment (9, 0.5), 16 clips per step
# (8 GPUs x 2), learning rate 6.25e-5, tested on 5 clips x 3 crops.
_base_ = ['vitb_k400.py']

epochs = 75
global_batch = 16
num_clips = 5
batch_size = 2

train_pipeline = _base_.train_pipeline
train_pipeline[1].policy = 'rand-m9-mstd0.5-inc1'
train_dataloader = dict(batch_size=batch_size, dataset=dict(pipeline=train_pipeline))
test_pipeline = _base_.test_pipeline
test_pipeline[0].sampling.num_clips = num_clips
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
optim_wrapper = dict(optimizer=dict(lr=_base_.base_lr * global_batch / 256))
param_scheduler = dict(end=epochs)
train_cfg = dict(max_epochs=epochs)
auto_scale_lr = dict(base_batch_size=global_batch)
