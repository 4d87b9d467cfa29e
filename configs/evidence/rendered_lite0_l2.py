# Regression of the frozen teacher's features, without prototypes, on rendered clips. 32 clips per step, learning rate
# 1e-3.
_base_ = ['rendered_lite0.py']

model = dict(head=dict(_delete_=True, type='RegressionHead'))
