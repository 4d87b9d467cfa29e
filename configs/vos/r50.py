# ResNet-50 up to stage 3, 1024 channels, on DAVIS-2017. Otherwise as r18.py.
_base_ = ['r18.py']

model = dict(backbone=dict(depth=50, out_stage=3))
