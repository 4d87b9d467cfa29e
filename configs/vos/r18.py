# ResNet-18 with stride 8 on DAVIS-2017, label propagation as in DUL and Mask-VOS: the first and the last 20 frames, the
# 10 most similar cells within radius 12, temperature 0.05, frames at 480p. Other datasets: dataset=davis2016,
# davis2017_testdev, ytvos2018 or ytvos2019. To get the baseline of an untrained network: weights_in_config=True and no
# checkpoint.
_base_ = ['../_base_/datasets/vos.py', '../_base_/default_runtime.py']

model = dict(
    type='LabelPropagation',
    backbone=dict(type='ResNetEncoder', depth=18, out_stage=4),
    geometry=dict(to_cells='corners', to_pixels='corners'),
    propagator=dict(num_context=20, k=10, temperature=0.05, radius=12),
)
load_backbone_only = True
weights_in_config = False
