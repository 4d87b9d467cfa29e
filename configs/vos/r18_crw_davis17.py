# The test of CRW: stage 3 of a ResNet-18 with reflected borders, labels resized as OpenCV does.
_base_ = ['r18_davis17.py']

model = dict(
    backbone=dict(out_stage=3, padding_mode='reflect'),
    geometry=dict(to_cells='half_pixel', to_pixels='half_pixel'),
)
