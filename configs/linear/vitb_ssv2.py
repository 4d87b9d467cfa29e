# Linear probe on Something-Something V2, frozen ViT-B, the paper's table: 30 epochs, 128 clips per step (8 GPUs x 16),
# learning rate 5e-4, no flip, 2 x 3 views. Norm and linear layer train; see vitb_k400.py.
_base_ = ['../finetune/vitb_ssv2.py']

epochs = 30
global_batch = 128
batch_size = 16

model = dict(freeze_backbone=True, backbone=dict(drop_path_rate=0.0))
load_backbone_only = True
train_dataloader = dict(batch_size=batch_size)
val_dataloader = dict(batch_size=batch_size)
optim_wrapper = dict(optimizer=dict(lr=_base_.base_lr * global_batch / 256), paramwise_cfg=dict(layer_decay=1.0))
param_scheduler = dict(end=epochs)
train_cfg = dict(max_epochs=epochs)
auto_scale_lr = dict(base_batch_size=global_batch)
