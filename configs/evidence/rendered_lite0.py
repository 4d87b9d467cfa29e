# SIGMA with a frozen teacher on rendered clips: EfficientNet-Lite0, which has seen the labels of ImageNet, on frames of
# twice the size, so that its stride of 16 is that of the tubes. 32 clips per step, learning rate 1e-3.
_base_ = ['rendered_mlp.py']

teacher_weights = 'hub'

model = dict(
    target=dict(
        _delete_=True,
        type='FrozenEncoderTarget',
        model_name='tf_efficientnet_lite0',
        weights=teacher_weights,
        stage=3,
        img_size=128,
        grid=(8, 8),
        frames_per_forward=16,
    )
)
