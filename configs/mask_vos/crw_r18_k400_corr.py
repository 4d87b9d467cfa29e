# CRW itself, 25 epochs. Test: configs/vos/r18_crw_davis17.py.
_base_ = ['crw_r18_k400.py']

model = dict(mask_encoder=None, decoder=None)
train_cfg = dict(max_epochs=_base_.correspondence_epochs)
param_scheduler = _base_.param_scheduler[:1]
custom_hooks = _base_.custom_hooks[:-1]
