# Pixels (VideoMAE) on rendered clips. 32 clips per step, learning rate 1e-3.
_base_ = ['rendered_mlp.py']

model = dict(
    target=dict(_delete_=True, type='PixelTarget', patch_size=8, min_deviation=_base_.min_deviation),
    head=dict(_delete_=True, type='RegressionHead'),
)
custom_hooks = _base_.training_hooks
