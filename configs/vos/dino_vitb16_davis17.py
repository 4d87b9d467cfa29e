# DINO ViT-B/16
_base_ = ['dino_vits8_davis17.py']

model = dict(backbone=dict(model_name='vit_base_patch16_224.dino'))
