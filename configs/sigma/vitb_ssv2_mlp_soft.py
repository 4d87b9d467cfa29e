# Ablation: soft codes, as in the paper's formula, instead of the release's hard ones. 512 clips per step,
# learning rate 3.0e-4.
_base_ = ['vitb_ssv2_mlp.py']

model = dict(head=dict(loss=dict(hard_labels=False)))
