# GTA (CVPR 2021): ResNet50V2 up to conv4_block3, each frame with the one 15 frames earlier, two 3-D convolutions,
# embeddings with 128 dimensions. Adam as in Keras, constant learning rate, 150,000 steps as 150 epochs of 1,000 groups,
# a checkpoint every 30,000 steps.
_base_ = ['../default_runtime.py']

# only_bn, train_all, frozen, or scratch for random initialisation
train_mode = 'only_bn'
pretrained = 'checkpoints/resnet50v2_imagenet.pth'
epochs = 150
# absolute, for any batch size
base_lr = 1e-4

model = dict(
    type='GTA',
    data_preprocessor=dict(type='AlignmentPreprocessor', size=224, flip=0.5, brightness=32 / 255, contrast=(0.5, 1.5)),
    backbone=dict(type='ResNet50V2Encoder', num_blocks=3),
    neck=dict(
        type='ContextEmbedder',
        num_context=2,
        conv_channels=(512, 512),
        fc_channels=(512, 512),
        out_channels=128,
        dropout=0.1,
    ),
    head=dict(
        type='AlignmentHead',
        loss=dict(
            type='GTALoss', gamma=0.1, temperature=0.1, alignment_weight=0.1, cycle='logits', label_smoothing=0.1
        ),
    ),
    train_mode=train_mode,
    context_stride=15,
)
load_from = None if train_mode == 'scratch' else pretrained

optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=base_lr, betas=(0.9, 0.999), eps=1e-7))
param_scheduler = []
train_cfg = dict(type='ResumableEpochLoop', max_epochs=epochs)
default_hooks = dict(checkpoint=dict(interval=30, max_keep_ckpts=-1))
custom_hooks = [
    dict(type='NonFiniteLossHook'),
    # each process has its own statistics of norms; checkpoints contain their mean
    dict(type='mmengine.SyncBuffersHook'),
    dict(type='BadVideoHook', max_share=0.05),
    dict(type='ProgressHook', keys=('loss',)),
    dict(type='PicturesHook'),
]
