# Masks alone (table 4a of the paper): 400 epochs of segmentation from the first epoch on; the first clusters come from
# random features. 16 clips of 3 frames per step, learning rate as in r18_ytvos.py.
_base_ = ['../_base_/datasets/mask_vos.py', '../_base_/methods/mask_vos.py']

model = dict(correspondence=None)
custom_hooks = [
    *_base_.training_hooks,
    dict(
        type='ReclusterHook',
        start=0,
        interval=_base_.update_every,
        settings=dict(step=_base_.step, num_clusters=_base_.num_clusters, method=_base_.cluster_method),
    ),
]
