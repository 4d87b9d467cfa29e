# GTA (CVPR 2021). On FineGym101, routines reordered to one order of sets; dataset=finegym290, finegym99 or finegym288
# selects the other datasets. 4 videos of one class per step, learning rate 1e-4, 150,000 steps. What the paper does not
# specify is as on Penn Action. train_mode=scratch, train_all or only_bn.
_base_ = ['../_base_/datasets/finegym.py', '../_base_/methods/gta.py']
