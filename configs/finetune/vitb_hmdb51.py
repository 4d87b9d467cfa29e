# Fine-tuning on HMDB51 (split 1), ViT-B, the recipe of MME: 100 epochs, two augmented samples of every clip, 8 GPUs x 8
# clips accumulated over 4 steps = 256 clips per update, learning rate 1e-3, 10 x 3 views.
_base_ = ['vitb_ucf101.py']

data_root = 'data/hmdb51'
num_classes = 51

model = dict(head=dict(num_classes=num_classes), data_preprocessor=dict(mixing=dict(num_classes=num_classes)))
train_dataloader = dict(dataset=dict(data_root=data_root, ann_file='train_split1.txt'))
val_dataloader = dict(dataset=dict(data_root=data_root, ann_file='test_split1.txt'))
test_dataloader = dict(dataset=dict(data_root=data_root, ann_file='test_split1.txt'))
