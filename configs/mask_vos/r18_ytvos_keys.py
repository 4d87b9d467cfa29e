# Label propagation on DAVIS-2017 with the keys of a trained Mask-VOS, without its decoder.
_base_ = ['../vos/r18.py']

model = dict(backbone=dict(_delete_=True, type='KeyEncoder', depth=18, skips=False))
