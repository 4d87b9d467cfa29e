# VideoMAE at the size of the SIGMA demo. 16 clips per step, learning rate 1e-3.
_base_ = ['sigma_tiny_demo_mlp.py']

model = dict(
    target=dict(_delete_=True, type='PixelTarget', patch_size=8), head=dict(_delete_=True, type='RegressionHead')
)
custom_hooks = _base_.training_hooks
