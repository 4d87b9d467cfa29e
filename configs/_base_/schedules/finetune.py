# AdamW, rate = 1e-3 * global batch / 256, 5 epochs of warm-up from 0, cosine per iteration to 1e-6 (scaled alike), rate
# times 0.75 per layer from the head downwards
epochs = 100
warmup_epochs = 5
global_batch = 32
base_lr = 1e-3

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
