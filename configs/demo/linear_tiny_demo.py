# Linear probe of the tiny demo model on the motion classes of the demo dataset: the backbone is frozen, norm and linear
# layer are trained, 16 clips per step, learning rate 2e-2.
_base_ = ['finetune_tiny_demo.py']

# absolute, for 16 clips per step
base_lr = 2e-2

model = dict(freeze_backbone=True, backbone=dict(drop_path_rate=0.0))
load_backbone_only = True
optim_wrapper = dict(optimizer=dict(lr=base_lr), paramwise_cfg=dict(layer_decay=1.0))
