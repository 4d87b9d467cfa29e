# SIGMA-MLP, ViT-B, Something-Something V2, 800 epochs, 4000 prototypes. 16 GPUs x 32 clips = 512 clips per step,
# learning rate 3.0e-4. The release has no script for it, and so no epsilon; we use 0.05, the release's value for
# everything but ViT-B with DINO on this dataset. The paper's ablations ran on mini-SSv2: --cfg-options
# ann_file_train=..., num_prototypes=1000, 4000 or 6000, model.head.loss.hard_labels=False.
_base_ = ['../_base_/datasets/ssv2_pretrain.py', '../_base_/methods/sigma.py']

num_prototypes = 4000
global_batch = 512

model = dict(target=dict(_delete_=True, type='MLPTarget'), head=dict(num_prototypes=num_prototypes))
optim_wrapper = dict(optimizer=dict(lr=_base_.base_lr * global_batch / 256))
auto_scale_lr = dict(base_batch_size=global_batch)
