# ResNet-50, correspondence alone. Otherwise as r18_ytvos_corr.py.
_base_ = ['r18_ytvos_corr.py']

model = dict(backbone=dict(depth=50))
