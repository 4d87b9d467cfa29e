# Mask-VOS with ResNet-18: all parts and both losses of the paper, and its settings for testing
model = dict(
    type='MaskVOS',
    data_preprocessor=dict(type='ClipViewsPreprocessor'),
    backbone=dict(type='KeyEncoder', depth=18, key_dims=128),
    correspondence=dict(type='ShortLongCorrespondence', short_weight=0.1, long_weight=0.5, temperature=0.05),
    mask_encoder=dict(type='FrameMaskEncoder', depth=18, fused=True),
    decoder=dict(type='MaskDecoder'),
    segmentation=dict(weight=1.0, num_objects=2, temperature=0.05, num_rounds=1),
    memory=dict(num_context=20, k=10, radius=12, temperature=0.05, num_rounds=3),
)
