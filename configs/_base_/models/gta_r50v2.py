# GTA: ResNet50V2 up to conv4_block3, the frame 15 frames before each, two 3-D convolutions, embeddings of 128 numbers
train_mode = 'only_bn'
pretrained = 'checkpoints/resnet50v2_imagenet.pth'

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
