# SpeedNet (CVPR 2020): classifies whether a clip is sped up. Frames at equal distances; embeddings are not normalised.
# On Penn Action, one network for 13 actions: 4 videos of one action per step, learning rate 1e-4, 150,000 steps.
_base_ = ['../_base_/datasets/penn_action.py', '../_base_/methods/speednet.py']

train_pipeline = [
    dict(type='ReadClip', decoder=_base_.decoder, sampling=dict(sampling='stride', **_base_.sampling)),
    dict(type='PackAlignmentInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
