# Fine-tuning on UCF101 (split 1), ViT-B, VideoMAE's own recipe: 8 GPUs x 16 clips = 128 clips per step, learning rate
# 2.5e-4 (5e-4 per 256 clips, at least 1e-5), layer decay 0.7, drop path 0.2, dropout 0.5, 10 x 3 views.
_base_ = ['vitb_ucf101.py']

batch_size = 16
global_batch = 128
# per 256 clips
base_lr = 5e-4

model = dict(backbone=dict(drop_path_rate=0.2), head=dict(dropout=0.5))
train_dataloader = dict(batch_size=batch_size)
val_dataloader = dict(batch_size=batch_size)
optim_wrapper = dict(
    optimizer=dict(lr=base_lr * global_batch / 256), paramwise_cfg=dict(layer_decay=0.7), accumulative_counts=1
)
param_scheduler = dict(min_ratio=1e-5 / base_lr)
# both samples of a clip count
auto_scale_lr = dict(base_batch_size=2 * global_batch)
