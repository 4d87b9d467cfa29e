# Mask-VOS with the correspondence of its release, which is that of DUL: anchors of the first frames, negatives from the
# whole batch. Otherwise as r18_ytvos.py.
_base_ = ['r18_ytvos.py']

model = dict(correspondence=dict(_delete_=True, type='AnchorCorrespondence', cross_weight=0.1, temporal_weight=1.0))
