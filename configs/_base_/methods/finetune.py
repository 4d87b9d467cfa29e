# Fine-tuning of ViT-B: mean over tokens, norm, linear layer; mixup, cutmix and erasing. AdamW, learning rate 1e-3 *
# global batch / 256, 100 epochs with 5 epochs of warm-up from 0, cosine per iteration to 1e-6 (scaled alike), learning
# rate multiplied by 0.75 per layer from the head downwards. Validation after every epoch; the best checkpoint is kept.
_base_ = ['../default_runtime.py']

num_classes = 400
epochs = 100
warmup_epochs = 5
# clips per update on all GPUs, for which the learning rate is computed
global_batch = 32
# per 256 clips
base_lr = 1e-3

model = dict(
    type='VideoClassifier',
    data_preprocessor=dict(
        type='VideoDataPreprocessor',
        erasing=dict(probability=0.25, mode='pixel'),
        mixing=dict(mixup_alpha=0.8, cutmix_alpha=1.0, prob=1.0, switch_prob=0.5, num_classes=num_classes),
    ),
    backbone=dict(
        type='VideoVisionTransformer',
        arch='base',
        img_size=224,
        num_frames=16,
        patch_size=16,
        tubelet_size=2,
        drop_path_rate=0.1,
        final_norm=False,
    ),
    head=dict(type='ClassificationHead', num_classes=num_classes, norm='layer', init_scale=0.001, label_smoothing=0.1),
)
optim_wrapper = dict(
    type='OptimWrapper',
    constructor='TransformerOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=base_lr * global_batch / 256, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.05),
    paramwise_cfg=dict(layer_decay=0.75),
)
param_scheduler = dict(
    type='WarmupCosineLR', warmup=warmup_epochs, end=epochs, min_ratio=1e-6 / base_lr, convert_to_iter_based=True
)
train_cfg = dict(type='ResumableEpochLoop', max_epochs=epochs, val_interval=1)
auto_scale_lr = dict(base_batch_size=global_batch, enable=False)
default_hooks = dict(checkpoint=dict(interval=1, max_keep_ckpts=2, save_best='acc/top1', rule='greater'))
custom_hooks = [
    dict(type='NonFiniteLossHook'),
    dict(type='BadVideoHook', max_share=0.05),
    dict(type='ProgressHook', keys=('loss', 'top1')),
    dict(type='PicturesHook'),
]
