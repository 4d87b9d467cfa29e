# Keys for Mask-VOS that are learnt from generated videos alone (mmsigma demo-data --num-videos 480 --num-classes 4), by
# a small ResNet that begins with nothing, up to its stride of 16. 8 clips per step, learning rate 1e-3. Otherwise as
# mask_vos_lite0.py.
_base_ = ['mask_vos_lite0.py']

# absolute
base_lr = 1e-3

model = dict(
    backbone=dict(encoder=dict(model_name='resnet10t', weights='random'), skips=False), mask_encoder=None, decoder=None
)
optim_wrapper = dict(
    optimizer=dict(lr=base_lr), paramwise_cfg=dict(custom_keys={'backbone.encoder': dict(lr_mult=1.0)})
)
