# MAST (CVPR 2020) on DAVIS-2017: its own network, stride 4, from Lab colours; a memory of frames 0 and 5 and three
# recent ones, windows of 25 x 25, hard labels. The released checkpoint loads as it is.
_base_ = ['../_base_/datasets/vos.py', '../_base_/default_runtime.py']

model = dict(
    type='LabelPropagation',
    backbone=dict(type='MASTEncoder'),
    # to 0..1; the encoder converts to Lab
    geometry=dict(
        padding=False, mean=(0.0, 0.0, 0.0), std=(255.0, 255.0, 255.0), to_cells='pick', to_pixels='half_pixel'
    ),
    propagator=dict(
        type='MASTPropagator',
        lasting=(0, 5),
        recent=(1, 3, 5),
        radius=12,
        near=15,
        max_dilation=4,
        stride=4,
    ),
)
load_backbone_only = True
