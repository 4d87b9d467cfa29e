# Linear probe on Something-Something V2, frozen ViT-B, recipe of the SIGMA paper's table: 30 epochs, 128 clips per step
# (8 GPUs x 16), learning rate 5e-4, no flip, 2 x 3 views. Norm and linear layer are trained; see vitb_k400.py.
_base_ = ['../_base_/datasets/ssv2.py', '../_base_/methods/linear.py']

num_classes = 174
epochs = 30
batch_size = 16

model = dict(head=dict(num_classes=num_classes), data_preprocessor=dict(mixing=dict(num_classes=num_classes)))
train_dataloader = dict(batch_size=batch_size)
val_dataloader = dict(batch_size=batch_size)
param_scheduler = dict(end=epochs)
train_cfg = dict(max_epochs=epochs)
