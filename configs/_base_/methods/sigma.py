# SIGMA-DINO (ECCV 2024), ViT-B, with the decoder of VideoMAE. AdamW, learning rate 1.5e-4 * global batch / 256, 800
# epochs with 40 epochs of warm-up from 0, cosine per iteration to 1e-5 (scaled alike).
_base_ = ['../default_runtime.py']

num_prototypes = 3000
epochs = 800
warmup_epochs = 40
# clips per step on all GPUs, for which the learning rate is computed
global_batch = 640
# per 256 clips
base_lr = 1.5e-4

model = dict(
    type='SIGMA',
    data_preprocessor=dict(type='VideoDataPreprocessor'),
    backbone=dict(
        type='VideoVisionTransformer', arch='base', img_size=224, num_frames=16, patch_size=16, tubelet_size=2
    ),
    neck=dict(type='MaskedVideoDecoder', embed_dims=384, depth=4, num_heads=6),
    # frozen DINO v1 ViT-B/16, for any size of the student
    target=dict(type='FrozenEncoderTarget', model_name='vit_base_patch16_224.dino', weights='hub'),
    head=dict(
        type='PrototypeHead',
        num_prototypes=num_prototypes,
        loss=dict(type='SwappedAssignmentLoss', epsilon=0.05, num_iters=10, temperature=0.1, hard_labels=True),
    ),
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
custom_hooks = [*_base_.custom_hooks, dict(type='CollapseHook')]
