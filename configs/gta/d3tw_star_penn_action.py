# D3TW*: a video aligns better with a whole one than with a part; hinge, half of the video dropped. On Penn Action, 13
# actions in one network: 4 videos of one per step, learning rate 1e-4, 150,000 steps.
_base_ = ['../_base_/datasets/penn_action.py', '../_base_/methods/d3tw_star.py']
