# ResNet-18 with stride 8 on DAVIS-2017, labels propagated as by DUL and Mask-VOS: first and last 20 frames, the 10 most
# similar cells within 12, temperature 0.05, frames at 480p. Other data: dataset=davis2016, davis2017_testdev, ytvos2018
# or ytvos2019. The floor of every other row is what an untrained network reaches: weights_in_config=True, no
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
