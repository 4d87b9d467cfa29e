# Linear probe on ImageNet-1K, frozen ViT-B, recipe of the SIGMA paper's table: each image as a clip of 16 identical
# frames, 30 epochs, 128 images per step (8 GPUs x 16), learning rate 5e-4. The paper does not give the number of
# frames; num_frames=2 is the cheapest.
_base_ = ['../_base_/datasets/k400.py', '../_base_/methods/linear.py']

data_root = 'data/imagenet'
num_classes = 1000
epochs = 30
batch_size = 16
num_frames = 16

model = dict(
    backbone=dict(num_frames=num_frames),
    head=dict(num_classes=num_classes),
    data_preprocessor=dict(mixing=dict(num_classes=num_classes)),
)
read = dict(type='ReadImageClip', num_frames=num_frames)
train_pipeline = [
    read,
    dict(type='RandAugmentClip', policy='rand-m7-n4-mstd0.5-inc1', size=224),
    dict(type='RandomResizedCropClip', size=224, scale=(0.25, 1.0), ratio=(3 / 4, 4 / 3)),
    dict(type='FlipClip', prob=0.5),
    dict(type='PackVideoInputs'),
]
val_pipeline = [read, dict(type='CropViews', size=224, num_crops=1), dict(type='PackVideoInputs')]
train_dataloader = dict(batch_size=batch_size, dataset=dict(data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(batch_size=batch_size, dataset=dict(data_root=data_root, pipeline=val_pipeline))
test_dataloader = dict(batch_size=batch_size, dataset=dict(data_root=data_root, pipeline=val_pipeline))
param_scheduler = dict(end=epochs)
train_cfg = dict(max_epochs=epochs)
