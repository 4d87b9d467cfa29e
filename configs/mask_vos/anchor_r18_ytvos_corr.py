# The correspondence of the release without masks.
_base_ = ['anchor_r18_ytvos.py']

model = dict(mask_encoder=None, decoder=None)
custom_hooks = _base_.custom_hooks[:-1]
