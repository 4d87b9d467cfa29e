# D3TW*, a baseline of the GTA paper: a video has to align better with a whole video than with a part of it. Hinge loss,
# half of the video dropped. On Penn Action, one network for 13 actions: 4 videos of one action per step, learning rate
# 1e-4, 150,000 steps.
_base_ = ['../_base_/datasets/penn_action.py', '../_base_/methods/d3tw_star.py']
