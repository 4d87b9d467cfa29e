# Fine-tuning on Kinetics-400, ViT-B, the released script: 100 epochs, 32 clips per step (8 GPUs x 4), learning rate
# 1.25e-4, tested on 7 clips x 3 crops. Give the pre-trained weights by --cfg-options load_from=...
_base_ = [
    '../_base_/models/classifier_vitb.py',
    '../_base_/datasets/dense_video.py',
    '../_base_/schedules/finetune.py',
    '../_base_/finetune_runtime.py',
]

data_root = 'data/kinetics400'
num_classes = 400
num_clips = 7

model = dict(head=dict(num_classes=num_classes), data_preprocessor=dict(mixing=dict(num_classes=num_classes)))
train_dataloader = dict(dataset=dict(data_root=data_root, ann_file='train.txt'))
val_dataloader = dict(dataset=dict(data_root=data_root, ann_file='val.txt'))
test_pipeline = _base_.test_pipeline
test_pipeline[0].sampling.num_clips = num_clips
test_dataloader = dict(dataset=dict(data_root=data_root, ann_file='val.txt', pipeline=test_pipeline))
