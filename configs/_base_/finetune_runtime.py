# default_runtime with a validation after every epoch whose best checkpoint is kept
_base_ = ['default_runtime.py']

default_hooks = dict(checkpoint=dict(interval=1, max_keep_ckpts=2, save_best='acc/top1', rule='greater'))
custom_hooks = [
    dict(type='NonFiniteLossHook'),
    dict(type='BadVideoHook', max_share=0.05),
    dict(type='ProgressHook', keys=('loss', 'top1')),
]
