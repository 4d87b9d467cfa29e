# Linear probe on ImageNet-1K, frozen ViT-B, the paper's table: an image as a clip of 16 equal frames, 30 epochs, 128
# images per step (8 GPUs x 16), learning rate 5e-4. num_frames=2 is the cheapest clip (the paper does not say).
_base_ = ['vitb_k400.py']

data_root = 'data/imagenet'
num_classes = 1000
epochs = 30
num_frames = 16

model = dict(
    backbone=dict(num_frames=num_frames),
    head=dict(num_classes=num_classes),
    data_preprocessor=dict(mixing=dict(num_classes=num_classes)),
)
read = dict(type='ReadImageClip', num_frames=num_frames)
train_pipeline = [read, *_base_.train_pipeline[1:]]
val_pipeline = [read, *_base_.val_pipeline[1:]]
train_dataloader = dict(dataset=dict(data_root=data_root, ann_file='train.txt', pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(data_root=data_root, ann_file='val.txt', pipeline=val_pipeline))
test_dataloader = dict(
    batch_size=_base_.batch_size, dataset=dict(data_root=data_root, ann_file='val.txt', pipeline=val_pipeline)
)
param_scheduler = dict(end=epochs)
train_cfg = dict(max_epochs=epochs)
