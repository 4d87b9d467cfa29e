# The protocol of CRW (NeurIPS 2020) on DAVIS-2017: stage 3 of a ResNet-18 with reflection padding, labels resized as in
# OpenCV, frames without padding (854 pixels are 107 columns of cells). Otherwise as r18.py.
_base_ = ['r18.py']

model = dict(
    backbone=dict(out_stage=3, padding_mode='reflect'),
    geometry=dict(padding=False, to_cells='half_pixel', to_pixels='half_pixel'),
)
