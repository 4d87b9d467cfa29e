# Attentive probe of V-JEPA 2 (4 blocks, 16 heads) on Something-Something V2, frozen ViT-B: 20 epochs, 128 clips per
# step (8 GPUs x 16), learning rate 1e-3, weight decay 0.1, no warm-up, no flip, 2 x 3 views.
_base_ = ['../_base_/datasets/ssv2.py', '../_base_/methods/linear.py']

num_classes = 174
epochs = 20
batch_size = 16
# per 256 clips
base_lr = 2e-3

model = dict(
    data_preprocessor=dict(mixing=None),
    head=dict(_delete_=True, type='AttentiveHead', num_classes=num_classes, num_heads=16, depth=4),
)
train_dataloader = dict(batch_size=batch_size)
val_dataloader = dict(batch_size=batch_size)
optim_wrapper = dict(optimizer=dict(lr=base_lr * _base_.global_batch / 256, weight_decay=0.1))
param_scheduler = dict(warmup=0, end=epochs, min_ratio=0.0)
train_cfg = dict(max_epochs=epochs)
