# SIGMA with a DINOv2 target (ViT-B/14 with registers), whose 16 x 16 tokens are resized to 14 x 14; not in the paper.
# Kinetics-400, 800 epochs. 16 GPUs x 40 clips = 640 clips per step, learning rate 3.75e-4.
_base_ = ['../_base_/datasets/k400_pretrain.py', '../_base_/methods/sigma.py']

model = dict(target=dict(model_name='vit_base_patch14_reg4_dinov2.lvd142m'))
