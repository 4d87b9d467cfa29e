# Mask-VOS with ResNet-50 up to stage 3 in both encoders; YouTube-VOS, 300 + 100 epochs, 16 clips of 3 frames per step,
# learning rate 1e-4 and 1e-5, as r18_ytvos.
_base_ = ['r18_ytvos.py']

model = dict(backbone=dict(depth=50), mask_encoder=dict(depth=50))
