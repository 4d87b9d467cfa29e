# Fine-tuning on Something-Something V2, ViT-B, VideoMAE's own recipe: 50 epochs, base rate 5e-4, 512 clips per step
# (64 GPUs x 8), learning rate 1e-3, 2 x 3 views.
_base_ = ['vitb_ssv2_paper.py']

global_batch = 512
base_lr = 5e-4
batch_size = 8

train_pipeline = _base_.train_pipeline
train_pipeline[1].policy = 'rand-m7-n4-mstd0.5-inc1'
train_dataloader = dict(batch_size=batch_size, dataset=dict(pipeline=train_pipeline))
optim_wrapper = dict(optimizer=dict(lr=base_lr * global_batch / 256))
param_scheduler = dict(min_ratio=1e-6 / base_lr)
auto_scale_lr = dict(base_batch_size=global_batch)
