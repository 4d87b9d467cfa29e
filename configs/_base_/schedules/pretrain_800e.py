# AdamW, rate = 1.5e-4 * global batch / 256, 40 epochs of warm-up from 0, cosine per iteration to 1e-5 (scaled alike)
epochs = 800
warmup_epochs = 40
global_batch = 640
base_lr = 1.5e-4

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
