# Segmentation alone (table 4a of the paper): from the first epoch on, of clusters that begin with random features.
_base_ = ['r18_ytvos.py']

model = dict(correspondence=None)
custom_hooks = _base_.custom_hooks[:-1] + [{**_base_.custom_hooks[-1], 'start': 0}]
