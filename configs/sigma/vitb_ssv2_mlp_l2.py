# Ablation of the SIGMA paper that collapses: regression of the learned projection instead of clustering. 512 clips per
# step, learning rate 3.0e-4.
_base_ = ['vitb_ssv2_mlp.py']

model = dict(head=dict(_delete_=True, type='RegressionHead'))
