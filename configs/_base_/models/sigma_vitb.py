# ViT-B with the decoder of VideoMAE and SIGMA; target and head are the method's choice
model = dict(
    type='SIGMA',
    data_preprocessor=dict(type='VideoDataPreprocessor'),
    backbone=dict(
        type='VideoVisionTransformer', arch='base', img_size=224, num_frames=16, patch_size=16, tubelet_size=2
    ),
    neck=dict(type='MaskedVideoDecoder', embed_dims=384, depth=4, num_heads=6),
    # frozen DINO v1 ViT-B/16, whatever the student's size
    target=dict(type='FrozenEncoderTarget', model_name='vit_base_patch16_224.dino', weights='hub'),
    head=dict(
        type='PrototypeHead',
        num_prototypes=3000,
        loss=dict(type='SwappedAssignmentLoss', epsilon=0.05, num_iters=10, temperature=0.1, hard_labels=True),
    ),
)
