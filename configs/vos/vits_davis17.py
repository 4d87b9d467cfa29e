# ViT-S of SIGMA or VideoMAE, otherwise as vitb_davis17.py
_base_ = ['vitb_davis17.py']

model = dict(backbone=dict(arch='small'))
