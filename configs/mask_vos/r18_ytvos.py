# Mask-VOS (CVPR 2023), ResNet-18, YouTube-VOS: 300 epochs of correspondence alone, learning rate 1e-4, halved every 100
# epochs; then 100 epochs of all losses at 1e-5, with clustering every 10 epochs. 16 clips of 3 frames per step.
# Ablations with --cfg-options: num_clusters, update_every (set it to joint_epochs to cluster once),
# cluster_method=sinkhorn.
_base_ = ['../_base_/datasets/mask_vos.py', '../_base_/methods/mask_vos.py']

custom_hooks = [
    *_base_.training_hooks,
    dict(
        type='ReclusterHook',
        start=_base_.correspondence_epochs,
        interval=_base_.update_every,
        settings=dict(step=_base_.step, num_clusters=_base_.num_clusters, method=_base_.cluster_method),
    ),
]
