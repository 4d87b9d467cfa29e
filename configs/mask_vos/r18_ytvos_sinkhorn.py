# Clusters by optimal transport, all of one size, which the paper leaves to future work.
_base_ = ['r18_ytvos.py']

custom_hooks = _base_.custom_hooks[:-1] + [
    {**_base_.custom_hooks[-1], 'settings': dict(step=_base_.step, method='sinkhorn')}
]
