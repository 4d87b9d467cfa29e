# The evaluation of vitb_ytvos.py for ViT-S
_base_ = ['vitb_ytvos.py']

model = dict(backbone=dict(arch='small'))
