# The evaluation of vitb_davis17.py for ViT-S
_base_ = ['vitb_davis17.py']

model = dict(backbone=dict(arch='small'))
