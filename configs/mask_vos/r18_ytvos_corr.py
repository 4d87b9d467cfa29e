# Correspondence alone, without masks: 400 epochs, learning rate 1e-4 and half of it every 100 epochs, the last 100 at
# 1e-5. 16 clips of 3 frames per step. One term alone: model.correspondence.long_weight=0.0 or short_weight=0.0.
_base_ = ['../_base_/datasets/mask_vos.py', '../_base_/methods/mask_vos.py']

model = dict(mask_encoder=None, decoder=None)
