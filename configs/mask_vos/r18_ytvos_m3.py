# 3 clusters per video (table 4c).
_base_ = ['r18_ytvos.py']

custom_hooks = _base_.custom_hooks[:-1] + [
    {**_base_.custom_hooks[-1], 'settings': dict(step=_base_.step, num_clusters=3)}
]
