# Mask-VOS with ResNet-50 up to stage 3 in both encoders, on YouTube-VOS: 300 + 100 epochs, 16 clips of 3 frames per
# step, learning rates 1e-4 and 1e-5, as in r18_ytvos.py.
_base_ = ['r18_ytvos.py']

model = dict(backbone=dict(depth=50), mask_encoder=dict(depth=50))
