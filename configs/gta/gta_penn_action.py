# GTA (CVPR 2021) on Penn Action, the published configuration: one network for 13 actions, 4 videos of one action per
# step, learning rate 1e-4, 150,000 steps. action=golf_swing trains a network for that action alone; train_mode=scratch,
# train_all or only_bn.
_base_ = ['../_base_/datasets/penn_action.py', '../_base_/methods/gta.py']
