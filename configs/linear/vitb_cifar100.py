# Linear probe on CIFAR-100, frozen ViT-B, the paper's table: images upscaled bicubically from 32 to 224 pixels as clips
# of 16 equal frames, 100 epochs, 128 images per step (8 GPUs x 16), learning rate 5e-4.
_base_ = ['vitb_in1k.py']

data_root = 'data/cifar100'
num_classes = 100
epochs = 100

model = dict(head=dict(num_classes=num_classes), data_preprocessor=dict(mixing=dict(num_classes=num_classes)))
read = dict(type='ReadImageClip', num_frames=_base_.num_frames, upscale=224)
train_pipeline = [read, *_base_.train_pipeline[1:]]
val_pipeline = [read, *_base_.val_pipeline[1:]]
train_dataloader = dict(dataset=dict(data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(data_root=data_root, ann_file='test.txt', pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(data_root=data_root, ann_file='test.txt', pipeline=val_pipeline))
param_scheduler = dict(end=epochs)
train_cfg = dict(max_epochs=epochs)
