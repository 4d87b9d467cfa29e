# Keys for Mask-VOS that are learnt from generated videos alone (mmsigma demo-data --num-videos 480 --num-classes 4), by
# a small ResNet that begins with nothing, up to its stride of 16. 8 clips per step, learning rate 1e-3. Otherwise as
# mask_vos_r18.py.
_base_ = ['mask_vos_r18.py']

# absolute
base_lr = 1e-3

model = dict(
    backbone=dict(
        _delete_=True,
        type='ViTKeyEncoder',
        encoder=dict(type='TimmEncoder', model_name='resnet10t', weights='random', stage=3),
        key_dims=128,
        width=_base_.width,
        skips=False,
    ),
    mask_encoder=None,
    decoder=None,
)
optim_wrapper = dict(optimizer=dict(lr=base_lr))
