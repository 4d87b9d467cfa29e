# Fine-tuning on mini-Kinetics, 200 classes of Kinetics-400 (77,270 training and 4,907 validation videos): 100 epochs,
# 32 clips per step (8 GPUs x 4), learning rate 1.25e-4, 7 x 3 views. For lists that count labels from 1, such as the
# released one: --cfg-options "label_range=(1,200)"
_base_ = ['../_base_/datasets/k400.py', '../_base_/methods/finetune.py']

data_root = 'data/mini_kinetics'
num_classes = 200
label_range = None

model = dict(head=dict(num_classes=num_classes), data_preprocessor=dict(mixing=dict(num_classes=num_classes)))
train_dataloader = dict(dataset=dict(data_root=data_root, label_range=label_range))
val_dataloader = dict(dataset=dict(data_root=data_root, label_range=label_range))
test_dataloader = dict(dataset=dict(data_root=data_root, label_range=label_range))
