# Clusters by optimal transport, which the paper leaves to future work: about as large as each other in the frames that
# they are found in (20 of a video); cells of the others get the nearest mean, in whatever numbers.
_base_ = ['r18_ytvos.py']

custom_hooks = _base_.custom_hooks[:-1] + [
    {**_base_.custom_hooks[-1], 'settings': dict(step=_base_.step, method='sinkhorn')}
]
