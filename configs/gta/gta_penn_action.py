# GTA on Penn Action, the published configuration: one network for 13 actions, 4 videos of one per step, learning rate
# 1e-4, 150,000 steps. action=golf_swing trains one for that action alone; train_mode=scratch, train_all or only_bn.
_base_ = [
    '../_base_/models/gta_r50v2.py',
    '../_base_/datasets/penn_action.py',
    '../_base_/schedules/alignment.py',
    '../_base_/alignment_runtime.py',
]

model = dict(context_stride=_base_.context_stride, neck=dict(num_context=_base_.num_context))
load_from = None if _base_.train_mode == 'scratch' else _base_.pretrained
