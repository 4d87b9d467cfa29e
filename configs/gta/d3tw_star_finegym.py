# D3TW*, a baseline of the GTA paper: a video has to align better with a whole video than with a part of it. Hinge loss,
# half of the video dropped. On FineGym101, routines reordered to one order of sets; dataset=finegym290, finegym99 or
# finegym288 selects the other datasets. 4 videos of one class per step, learning rate 1e-4, 150,000 steps. What the
# paper does not specify is as on Penn Action.
_base_ = ['../_base_/datasets/finegym.py', '../_base_/methods/d3tw_star.py']
