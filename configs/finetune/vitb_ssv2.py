# Fine-tuning on Something-Something V2, ViT-B, recipe of the SIGMA release's script: 40 epochs, 32 clips per step (8
# GPUs x 4), learning rate 1.25e-4, no flip, tested on 2 clips x 3 crops. Load the pre-trained weights with
# --cfg-options load_from=... For mini-SSv2 of the paper's ablations, half of the classes: --cfg-options
# data_root=data/mini_sthv2 num_classes=87
_base_ = ['../_base_/datasets/ssv2.py', '../_base_/methods/finetune.py']

num_classes = 174
epochs = 40

model = dict(head=dict(num_classes=num_classes), data_preprocessor=dict(mixing=dict(num_classes=num_classes)))
param_scheduler = dict(end=epochs)
train_cfg = dict(max_epochs=epochs)
