# The keys of a trained Mask-VOS alone, by label propagation on DAVIS-2017: what its decoder adds to.
_base_ = ['../vos/r18.py']

model = dict(backbone=dict(_delete_=True, type='KeyEncoder', depth=18, skips=False))
