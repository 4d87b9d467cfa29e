# A ResNet-10-T of 1.3 M parameters on DAVIS-2017, whose keys were learnt from generated videos alone. Its weights lie
# beside this file, so that no checkpoint is needed. Otherwise as r18.py.
_base_ = ['r18.py']

model = dict(
    backbone=dict(
        _delete_=True,
        type='ViTKeyEncoder',
        encoder=dict(type='TimmEncoder', model_name='resnet10t', weights='random', stage=3),
        key_dims=128,
        width=64,
        skips=False,
    )
)
default_weights = '{{ fileDirname }}/resnet10t.safetensors'
