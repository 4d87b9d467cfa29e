# Fine-tuning on Something-Something V2, ViT-B, the released script: 40 epochs, 32 clips per step (8 GPUs x 4), learning
# rate 1.25e-4, no flip, tested on 2 clips x 3 crops. Give the pre-trained weights by --cfg-options load_from=...
_base_ = [
    '../_base_/models/classifier_vitb.py',
    '../_base_/datasets/segment_video.py',
    '../_base_/schedules/finetune.py',
    '../_base_/finetune_runtime.py',
]

data_root = 'data/sthv2'
num_classes = 174
epochs = 40

model = dict(head=dict(num_classes=num_classes), data_preprocessor=dict(mixing=dict(num_classes=num_classes)))
train_dataloader = dict(dataset=dict(data_root=data_root, ann_file='train.txt'))
val_dataloader = dict(dataset=dict(data_root=data_root, ann_file='val.txt'))
test_dataloader = dict(dataset=dict(data_root=data_root, ann_file='val.txt'))
param_scheduler = dict(end=epochs)
train_cfg = dict(max_epochs=epochs)
