# GTA on FineGym101: routines whose sets have one order; dataset=finegym290, finegym99 or finegym288 for the others. 4
# videos of one class per step, learning rate 1e-4, 150,000 steps; what the paper does not say is as on Penn Action.
# train_mode=scratch, train_all or only_bn.
_base_ = ['../_base_/datasets/finegym.py', '../_base_/methods/gta.py']
