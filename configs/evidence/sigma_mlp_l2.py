# The ablation that collapses, regression of a learned feature. 32 clips per step, learning rate 1e-3.
_base_ = ['sigma_mlp.py']

model = dict(head=dict(_delete_=True, type='RegressionHead'))
