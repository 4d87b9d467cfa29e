# Lab colours of 4 x 4 parts of each cell instead of a network. No checkpoint.
_base_ = ['r18_davis17.py']

model = dict(
    backbone=dict(_delete_=True, type='ColourEncoder', parts=4),
    geometry=dict(mean=(0.0, 0.0, 0.0), std=(255.0, 255.0, 255.0)),
    propagator=dict(similarity='euclidean', temperature=0.01),
)
weights_in_config = True
