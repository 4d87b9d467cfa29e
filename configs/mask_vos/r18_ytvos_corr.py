# Correspondence alone, without masks: 400 epochs, learning rate 1e-4, halved every 100 epochs, and 1e-5 in the last
# 100. 16 clips of 3 frames per step. To train with one term: model.correspondence.long_weight=0.0 or short_weight=0.0.
_base_ = ['../_base_/datasets/mask_vos.py', '../_base_/methods/mask_vos.py']

model = dict(mask_encoder=None, decoder=None)
