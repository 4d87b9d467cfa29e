# ResNet-50, correspondence alone.
_base_ = ['r50_ytvos.py']

model = dict(mask_encoder=None, decoder=None)
custom_hooks = _base_.custom_hooks[:-1]
