# ViT-B with mean pooling, norm and linear layer; num_classes follows the data set and is set beside it
model = dict(
    type='VideoClassifier',
    data_preprocessor=dict(
        type='VideoDataPreprocessor',
        erasing=dict(probability=0.25, mode='pixel'),
        mixing=dict(mixup_alpha=0.8, cutmix_alpha=1.0, prob=1.0, switch_prob=0.5),
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
    head=dict(type='ClassificationHead', norm='layer', init_scale=0.001, label_smoothing=0.1),
)
