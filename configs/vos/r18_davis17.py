# ResNet-18 with stride 8, labels propagated as by DUL and Mask-VOS: first and last 20 frames, the 10 most similar cells
# within 12, temperature 0.05, frames at 480p.
_base_ = ['../_base_/datasets/vos_davis17.py', '../_base_/default_runtime.py']

model = dict(
    type='LabelPropagation',
    backbone=dict(type='ResNetEncoder', depth=18, out_stage=4),
    geometry=dict(to_cells='corners', to_pixels='corners'),
    propagator=dict(num_context=20, k=10, temperature=0.05, radius=12),
)
load_backbone_only = True
