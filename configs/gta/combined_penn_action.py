# TCC's combination: TCC, Shuffle and Learn and TCN, weighted 0.33, 0.33 and 0.34. On Penn Action; otherwise as
# tcn_penn_action.
_base_ = ['tcn_penn_action.py']

heads = [
    dict(type='AlignmentHead', loss=dict(type='TCCLoss')),
    dict(type='OrderHead'),
    dict(type='AlignmentHead', loss=dict(type='TCNLoss')),
]
model = dict(head=dict(_delete_=True, type='CombinedHead', heads=heads, weights=(0.33, 0.33, 0.34)))
