# Linear probe on CIFAR-100, frozen ViT-B, recipe of the SIGMA paper's table: images resized bicubically from 32 to 224
# pixels, as clips of 16 identical frames, 100 epochs, 128 images per step (8 GPUs x 16), learning rate 5e-4.
_base_ = ['vitb_in1k.py']

data_root = 'data/cifar100'
ann_file_val = 'test.txt'
ann_file_test = ann_file_val
num_classes = 100
epochs = 100

model = dict(head=dict(num_classes=num_classes), data_preprocessor=dict(mixing=dict(num_classes=num_classes)))
read = dict(type='ReadImageClip', num_frames=_base_.num_frames, upscale=224)
train_pipeline = [
    read,
    dict(type='RandAugmentClip', policy='rand-m7-n4-mstd0.5-inc1', size=224),
    dict(type='RandomResizedCropClip', size=224, scale=(0.25, 1.0), ratio=(3 / 4, 4 / 3)),
    dict(type='FlipClip', prob=0.5),
    dict(type='PackVideoInputs'),
]
val_pipeline = [read, dict(type='CropViews', size=224, num_crops=1), dict(type='PackVideoInputs')]
train_dataloader = dict(dataset=dict(data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(data_root=data_root, ann_file=ann_file_val, pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(data_root=data_root, ann_file=ann_file_test, pipeline=val_pipeline))
param_scheduler = dict(end=epochs)
train_cfg = dict(max_epochs=epochs)
