# Mask-VOS that begins with EfficientNet-Lite0, which has seen the labels of ImageNet, at its stride of 16, between
# whose cells those of 8 pixels are interpolated. 8 clips per step, learning rate 3e-4, of the pretrained network 1e-4.
# Without network, encoder_weights is a file with timm's names. Otherwise, and for all options, as mask_vos_r18.py.
_base_ = ['mask_vos_r18.py']

encoder = 'tf_efficientnet_lite0'
encoder_weights = 'hub'
encoder_stage = 3
# skips of the decoder: its own maps of strides 8 and 4, or convolutions of the image that begin with nothing
own_skips = False

model = dict(
    backbone=dict(
        _delete_=True,
        type='ViTKeyEncoder',
        encoder=dict(type='TimmEncoder', model_name=encoder, weights=encoder_weights, stage=encoder_stage),
        key_dims=128,
        own_skips=own_skips,
        width=_base_.width,
    ),
)
optim_wrapper = dict(paramwise_cfg=dict(custom_keys={'backbone.encoder': dict(lr_mult=1 / 3)}))
