# SEVERE, domain shift: Gym99, ViT-B, 20,484 training videos, top-1 accuracy. 100 epochs, RandAugment (9, 0.5), 16 clips
# per step (8 GPUs x 2), learning rate 6.25e-5, 5 x 3 views.
_base_ = ['../_base_/datasets/gym99.py', '../_base_/methods/finetune.py']

num_classes = 99
global_batch = 16

model = dict(head=dict(num_classes=num_classes), data_preprocessor=dict(mixing=dict(num_classes=num_classes)))
optim_wrapper = dict(optimizer=dict(lr=_base_.base_lr * global_batch / 256))
auto_scale_lr = dict(base_batch_size=global_batch)
