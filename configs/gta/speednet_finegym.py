# SpeedNet (CVPR 2020): classifies whether a clip is sped up. Frames at equal distances; embeddings are not normalised.
# On FineGym101, routines reordered to one order of sets; dataset=finegym290, finegym99 or finegym288 selects the other
# datasets. 4 videos of one class per step, learning rate 1e-4, 150,000 steps. What the paper does not specify is as on
# Penn Action.
_base_ = ['../_base_/datasets/finegym.py', '../_base_/methods/speednet.py']

train_pipeline = [
    dict(type='ReadClip', decoder=_base_.decoder, sampling=dict(sampling='stride', **_base_.sampling)),
    dict(type='PackAlignmentInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
