# SIGMA with a frozen teacher: EfficientNet-Lite0, which has seen the labels of ImageNet, at its stride of 16. 32 clips
# per step, learning rate 1e-3. Without network, teacher_weights is a file with timm's names.
_base_ = ['sigma_mlp.py']

teacher = 'tf_efficientnet_lite0'
teacher_weights = 'hub'
teacher_stage = 3

model = dict(
    target=dict(
        _delete_=True,
        type='FrozenEncoderTarget',
        model_name=teacher,
        weights=teacher_weights,
        stage=teacher_stage,
        img_size=None,
        grid=(7, 7),
        # their maps stay in the cache of the processor
        frames_per_forward=8,
    )
)
