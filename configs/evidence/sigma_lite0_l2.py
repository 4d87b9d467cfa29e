# Regression of the features of the frozen teacher, without prototypes. 32 clips per step, learning rate 1e-3.
_base_ = ['sigma_lite0.py']

model = dict(head=dict(_delete_=True, type='RegressionHead'))
