# default_runtime with a checkpoint every 30 epochs, all of which are kept, and with statistics of norms that are the
# mean over processes, as each has its own.
_base_ = ['default_runtime.py']

default_hooks = dict(checkpoint=dict(interval=30, max_keep_ckpts=-1))
custom_hooks = [
    dict(type='NonFiniteLossHook'),
    dict(type='mmengine.SyncBuffersHook'),
    dict(type='BadVideoHook', max_share=0.05),
    dict(type='ProgressHook', keys=('loss',)),
]
