# SEVERE, domain shift: Gym99, ViT-B, 20,484 training videos, top-1 accuracy. 100 epochs, RandAugment (9, 0.5), 16 clips
# per step (8 GPUs x 2), learning rate 6.25e-5, 5 x 3 views.
_base_ = ['../finetune/vitb_k400_paper.py']

data_root = 'data/gym'
train_list, val_list = 'gym99_train.txt', 'gym99_val.txt'
num_classes = 99
epochs = 100

model = dict(head=dict(num_classes=num_classes), data_preprocessor=dict(mixing=dict(num_classes=num_classes)))
train_dataloader = dict(dataset=dict(data_root=data_root, ann_file=train_list))
val_dataloader = dict(dataset=dict(data_root=data_root, ann_file=val_list))
test_dataloader = dict(dataset=dict(data_root=data_root, ann_file=val_list))
param_scheduler = dict(end=epochs)
train_cfg = dict(max_epochs=epochs)
