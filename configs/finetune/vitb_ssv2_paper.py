# Fine-tuning on Something-Something V2, ViT-B, as the paper's table has it: 50 epochs, RandAugment (9, 0.5), 32 clips
# per step (8 GPUs x 4), learning rate 1.25e-4, 2 x 3 views.
_base_ = ['vitb_ssv2.py']

epochs = 50

train_pipeline = _base_.train_pipeline
train_pipeline[1].policy = 'rand-m9-mstd0.5-inc1'
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
param_scheduler = dict(end=epochs)
train_cfg = dict(max_epochs=epochs)
