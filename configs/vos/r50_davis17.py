# ResNet-50 up to stage 3, 1024 channels.
_base_ = ['r18_davis17.py']

model = dict(backbone=dict(depth=50, out_stage=3))
