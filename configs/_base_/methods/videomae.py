# VideoMAE (NeurIPS 2022), ViT-B: the pixels of the masked tubes, normalised per tube. AdamW, learning rate 1.5e-4 *
# global batch / 256, 800 epochs with 40 epochs of warm-up from 0, cosine per iteration to 1e-5 (scaled alike).
_base_ = ['../default_runtime.py']

epochs = 800
warmup_epochs = 40
# clips per step on all GPUs, for which the learning rate is computed
global_batch = 2048
# per 256 clips
base_lr = 1.5e-4

model = dict(
    type='SIGMA',
    data_preprocessor=dict(type='VideoDataPreprocessor'),
    backbone=dict(
        type='VideoVisionTransformer', arch='base', img_size=224, num_frames=16, patch_size=16, tubelet_size=2
    ),
    neck=dict(type='MaskedVideoDecoder', embed_dims=384, depth=4, num_heads=6),
    target=dict(type='PixelTarget'),
    head=dict(type='RegressionHead'),
)
optim_wrapper = dict(
    type='OptimWrapper',
    constructor='TransformerOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=base_lr * global_batch / 256, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.05),
)
param_scheduler = dict(
    type='WarmupCosineLR', warmup=warmup_epochs, end=epochs, min_ratio=1e-5 / base_lr, convert_to_iter_based=True
)
train_cfg = dict(type='ResumableEpochLoop', max_epochs=epochs)
auto_scale_lr = dict(base_batch_size=global_batch, enable=False)
