# Linear probe on Kinetics-400, frozen ViT-B, the paper's table: 40 epochs, 128 clips per step (8 GPUs x 16), learning
# rate 5e-4. As in the release the norm before the linear layer trains too, and the fine-tuning augmentation of frames,
# erasing and mixing stay on; the backbone is in evaluation mode, which the release's is not.
_base_ = ['../finetune/vitb_k400.py']

epochs = 40
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
