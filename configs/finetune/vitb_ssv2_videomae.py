# Fine-tuning on Something-Something V2, ViT-B, VideoMAE's own recipe: 50 epochs, 512 clips per step (64 GPUs x 8),
# learning rate 1e-3 (5e-4 per 256 clips), 2 x 3 views.
_base_ = ['../_base_/datasets/ssv2.py', '../_base_/methods/finetune.py']

num_classes = 174
epochs = 50
batch_size = 8
global_batch = 512
# per 256 clips
base_lr = 5e-4

model = dict(head=dict(num_classes=num_classes), data_preprocessor=dict(mixing=dict(num_classes=num_classes)))
train_dataloader = dict(batch_size=batch_size)
val_dataloader = dict(batch_size=batch_size)
optim_wrapper = dict(optimizer=dict(lr=base_lr * global_batch / 256))
auto_scale_lr = dict(base_batch_size=global_batch)
param_scheduler = dict(end=epochs, min_ratio=1e-6 / base_lr)
train_cfg = dict(max_epochs=epochs)
