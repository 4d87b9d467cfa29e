# Videos clustered anew every 20 epochs (table 4d).
_base_ = ['r18_ytvos.py']

custom_hooks = _base_.custom_hooks[:-1] + [{**_base_.custom_hooks[-1], 'interval': 20}]
