# Ablation: 1000 prototypes (the paper ran it on mini-SSv2; give its list as ann_file). 512 clips per step,
# learning rate 3.0e-4.
_base_ = ['vitb_ssv2_mlp.py']

model = dict(head=dict(num_prototypes=1000))
