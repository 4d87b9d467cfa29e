# The combination of TCC, Shuffle and Learn and TCN from the TCC paper, weighted 0.33, 0.33 and 0.34. On Penn Action,
# one network for 13 actions: 4 videos of one action per step, learning rate 1e-4, 150,000 steps.
_base_ = ['../_base_/datasets/penn_action.py', '../_base_/methods/tcn.py']

heads = [
    dict(type='AlignmentHead', loss=dict(type='TCCLoss')),
    dict(type='OrderHead'),
    dict(type='AlignmentHead', loss=dict(type='TCNLoss')),
]
model = dict(head=dict(_delete_=True, type='CombinedHead', heads=heads, weights=(0.33, 0.33, 0.34)))
train_pipeline = [
    dict(type='ReadClip', decoder=_base_.decoder, sampling=dict(positives=_base_.positives, **_base_.sampling)),
    dict(type='PackAlignmentInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
