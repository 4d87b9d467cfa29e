# Fine-tuning on Something-Something V2, ViT-B, recipe of the SIGMA paper's table, which its SEVERE results use too: 50
# epochs, RandAugment (9, 0.5), 32 clips per step (8 GPUs x 4), learning rate 1.25e-4, 2 x 3 views.
_base_ = ['../_base_/datasets/ssv2.py', '../_base_/methods/finetune.py']

num_classes = 174
epochs = 50

model = dict(head=dict(num_classes=num_classes), data_preprocessor=dict(mixing=dict(num_classes=num_classes)))
train_pipeline = [
    dict(type='ReadClip', decoder=_base_.decoder, sampling=dict(type='SampleSegmentClip', clip_len=16)),
    dict(type='RandAugmentClip', policy='rand-m9-mstd0.5-inc1', size=224),
    dict(type='RandomResizedCropClip', size=224, scale=(0.25, 1.0), ratio=(3 / 4, 4 / 3)),
    dict(type='PackVideoInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
param_scheduler = dict(end=epochs)
train_cfg = dict(max_epochs=epochs)
