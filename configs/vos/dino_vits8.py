# DINO ViT-S/8 on DAVIS-2017, with the protocol of its release: short side 480, long side a multiple of 64, the first
# and the last 7 frames, the 5 most similar cells within a square of radius 12, also in the first frame, and a standard
# deviation of 0.228 for red (0.229 elsewhere). Other datasets: dataset=davis2016, davis2017_testdev, ytvos2018 or
# ytvos2019. The weights come from timm's hub (model_name=vit_base_patch16_224.dino for ViT-B/16) or a file:
# --cfg-options model.backbone.weights=dino_deitsmall8_pretrain.pth
_base_ = ['../_base_/datasets/vos.py', '../_base_/default_runtime.py']

model_name = 'vit_small_patch8_224.dino'

model = dict(
    type='LabelPropagation',
    backbone=dict(type='TimmEncoder', model_name=model_name, weights='hub'),
    geometry=dict(
        short_side=480,
        long_multiple=64,
        to_cells='nearest',
        to_pixels='stretched',
        std=(0.228 * 255, 0.224 * 255, 0.225 * 255),
    ),
    propagator=dict(
        num_context=7,
        k=5,
        temperature=0.1,
        radius=12,
        window='square',
        first_is_free=False,
        repeat_first=False,
    ),
)
weights_in_config = True
