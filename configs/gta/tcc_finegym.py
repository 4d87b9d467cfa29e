# TCC: soft nearest neighbours lead back, regression with variance; embeddings of any length. On FineGym101, routines
# whose sets have one order; dataset=finegym290, finegym99 or finegym288 for the others. 4 videos of one class per
# step, learning rate 1e-4, 150,000 steps; what the paper does not say is as on Penn Action.
_base_ = ['../_base_/datasets/finegym.py', '../_base_/methods/tcc.py']
