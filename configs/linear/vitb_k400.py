# Linear probe on Kinetics-400, frozen ViT-B, recipe of the SIGMA paper's table: 40 epochs, 128 clips per step (8 GPUs x
# 16), learning rate 5e-4. As in the release, the norm before the linear layer is trained too, with the augmentation of
# fine-tuning, erasing and mixing. Unlike in the release, the backbone is in evaluation mode.
_base_ = ['../_base_/datasets/k400.py', '../_base_/methods/linear.py']

batch_size = 16

train_dataloader = dict(batch_size=batch_size)
val_dataloader = dict(batch_size=batch_size)
