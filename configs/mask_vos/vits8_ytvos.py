# Mask-VOS with DINO's ViT-S/8 from timm as the visual encoder. Not in the paper. Without network access: --cfg-options
# model.backbone.encoder.weights=/path/to/dino_deitsmall8_pretrain.pth
_base_ = ['r18_ytvos.py']

model = dict(
    backbone=dict(
        _delete_=True,
        type='ViTKeyEncoder',
        encoder=dict(type='TimmEncoder', model_name='vit_small_patch8_224.dino', weights='hub'),
        key_dims=128,
    ),
)
