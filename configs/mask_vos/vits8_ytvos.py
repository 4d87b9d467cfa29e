# A vision transformer with patches of 8 pixels, DINO's ViT-S of timm, as the visual encoder. Not in the paper.
# Without network: --cfg-options model.backbone.encoder.weights=/path/to/dino_deitsmall8_pretrain.pth
_base_ = ['r18_ytvos.py']

model = dict(
    backbone=dict(
        _delete_=True,
        type='ViTKeyEncoder',
        encoder=dict(type='TimmViTEncoder', model_name='vit_small_patch8_224.dino', weights='hub'),
        key_dims=128,
    ),
)
