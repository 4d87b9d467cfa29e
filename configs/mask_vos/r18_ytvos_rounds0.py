# Trained and tested without refinement (table 4e of the paper): the decoder never sees a guess of the mask. Otherwise
# as r18_ytvos.py.
_base_ = ['r18_ytvos.py']

model = dict(segmentation=dict(num_rounds=0), memory=dict(num_rounds=0))
