# Correspondence alone, without masks: 400 epochs, of which the last 100 at 1e-5.
_base_ = ['r18_ytvos.py']

model = dict(mask_encoder=None, decoder=None)
custom_hooks = _base_.custom_hooks[:-1]
