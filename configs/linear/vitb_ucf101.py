# Linear probe on UCF101 (split 1), frozen ViT-B, recipe of the SIGMA paper's table: 100 epochs, 128 clips per step (8
# GPUs x 16), learning rate 5e-4, 5 x 3 views. Norm and linear layer are trained; see vitb_k400.py. HMDB51 with the same
# recipe: --cfg-options data_root=data/hmdb51 num_classes=51
_base_ = ['../_base_/datasets/ucf101.py', '../_base_/methods/linear.py']

num_classes = 101
epochs = 100

model = dict(head=dict(num_classes=num_classes), data_preprocessor=dict(mixing=dict(num_classes=num_classes)))
param_scheduler = dict(end=epochs)
train_cfg = dict(max_epochs=epochs)
