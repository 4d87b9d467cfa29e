# Fine-tuning on Something-Something V2, ViT-S, as vitb_ssv2.py: 40 epochs, 32 clips per step (8 GPUs x 4), learning
# rate 1.25e-4, 2 x 3 views.
_base_ = ['vitb_ssv2.py']

model = dict(backbone=dict(arch='small'))
