# TCN (ICRA 2018): each frame and one up to 5 frames before it, n-pairs loss. Embeddings are not normalised. On
# FineGym101, routines reordered to one order of sets; dataset=finegym290, finegym99 or finegym288 selects the other
# datasets. 4 videos of one class per step, learning rate 1e-4, 150,000 steps. What the paper does not specify is as on
# Penn Action.
_base_ = ['../_base_/datasets/finegym.py', '../_base_/methods/tcn.py']

train_pipeline = [
    dict(type='ReadClip', decoder=_base_.decoder, sampling=dict(positives=_base_.positives, **_base_.sampling)),
    dict(type='PackAlignmentInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
