# GTA on Pouring, 2 videos per step as TCC; GTA has no results on it. train_mode=scratch, train_all or only_bn.
_base_ = [
    '../_base_/models/gta_r50v2.py',
    '../_base_/datasets/pouring.py',
    '../_base_/schedules/alignment.py',
    '../_base_/alignment_runtime.py',
]

model = dict(context_stride=_base_.context_stride, neck=dict(num_context=_base_.num_context))
load_from = None if _base_.train_mode == 'scratch' else _base_.pretrained
