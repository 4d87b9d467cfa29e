# TCN (ICRA 2018): each frame and one up to 5 frames before it, n-pairs loss. Embeddings are not normalised. On Penn
# Action, one network for 13 actions: 4 videos of one action per step, learning rate 1e-4, 150,000 steps.
_base_ = ['../_base_/datasets/penn_action.py', '../_base_/methods/tcn.py']

train_pipeline = [
    dict(type='ReadClip', decoder=_base_.decoder, sampling=dict(positives=_base_.positives, **_base_.sampling)),
    dict(type='PackAlignmentInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
