# CRW (NeurIPS 2020) alone, with its own recipe: Kinetics-400, 25 epochs, 20 clips per step, Adam with learning rate
# 1e-4, multiplied by 0.3 after 20 epochs. Test with configs/vos/r18_crw.py.
_base_ = ['crw_r18_k400.py']

correspondence_epochs = 25

model = dict(mask_encoder=None, decoder=None)
train_cfg = dict(max_epochs=correspondence_epochs)
param_scheduler = [dict(type='MultiStepLR', milestones=[20, 30, 40], gamma=0.3, end=correspondence_epochs)]
custom_hooks = _base_.training_hooks
