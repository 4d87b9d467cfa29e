# ResNet-50, correspondence alone; otherwise as r18_ytvos_corr.
_base_ = ['r18_ytvos_corr.py']

model = dict(backbone=dict(depth=50))
