# ResNet-50 up to stage 3 in both encoders.
_base_ = ['r18_ytvos.py']

model = dict(backbone=dict(depth=50), mask_encoder=dict(depth=50))
