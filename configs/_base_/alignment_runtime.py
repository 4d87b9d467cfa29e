# default_runtime with a checkpoint every 30 epochs, all of which are kept
_base_ = ['default_runtime.py']

default_hooks = dict(checkpoint=dict(interval=30, max_keep_ckpts=-1))
custom_hooks = [
    dict(type='NonFiniteLossHook'),
    dict(type='BadVideoHook', max_share=0.05),
    dict(type='ProgressHook', keys=('loss',)),
]
