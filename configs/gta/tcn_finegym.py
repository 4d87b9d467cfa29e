# TCN: each frame and one up to 5 frames before it, n-pairs; embeddings of any length. On FineGym101, routines whose
# sets have one order; dataset=finegym290, finegym99 or finegym288 for the others. 4 videos of one class per step,
# learning rate 1e-4, 150,000 steps; what the paper does not say is as on Penn Action.
_base_ = ['../_base_/datasets/finegym.py', '../_base_/methods/tcn.py']

train_pipeline = [
    dict(type='ReadClip', decoder=_base_.decoder, sampling=dict(positives=_base_.positives, **_base_.sampling)),
    dict(type='PackAlignmentInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
