# Pixels (VideoMAE). 32 clips per step, learning rate 1e-3.
_base_ = ['sigma_mlp.py']

model = dict(target=dict(_delete_=True, type='PixelTarget'), head=dict(_delete_=True, type='RegressionHead'))
custom_hooks = _base_.training_hooks
