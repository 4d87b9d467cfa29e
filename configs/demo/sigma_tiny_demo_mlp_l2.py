# The ablation that collapses (regression of a learned feature) at the size of the SIGMA demo. 16 clips per step,
# learning rate 1e-3.
_base_ = ['sigma_tiny_demo_mlp.py']

model = dict(head=dict(_delete_=True, type='RegressionHead'))
