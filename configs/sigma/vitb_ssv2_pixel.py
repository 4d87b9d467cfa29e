# VideoMAE, ViT-B, Something-Something V2, 800 epochs. 64 GPUs x 32 clips = 2048 clips per step, learning rate 1.2e-3.
_base_ = ['../_base_/datasets/ssv2_pretrain.py', '../_base_/methods/videomae.py']
