# Linear probe on UCF101 (split 1), frozen ViT-B, the paper's table: 100 epochs, 128 clips per step (8 GPUs x 16),
# learning rate 5e-4, 5 x 3 views. Norm and linear layer train; see vitb_k400.py.
_base_ = ['vitb_k400.py']

data_root = 'data/ucf101'
decoder = 'pyav'  # AVI files with B-frames
num_classes = 101
epochs = 100
num_clips = 5

model = dict(head=dict(num_classes=num_classes), data_preprocessor=dict(mixing=dict(num_classes=num_classes)))
train_pipeline, val_pipeline, test_pipeline = _base_.train_pipeline, _base_.val_pipeline, _base_.test_pipeline
train_pipeline[0].decoder = val_pipeline[0].decoder = test_pipeline[0].decoder = decoder
test_pipeline[0].sampling.num_clips = num_clips
train_dataloader = dict(dataset=dict(data_root=data_root, ann_file='train_split1.txt', pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(data_root=data_root, ann_file='test_split1.txt', pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(data_root=data_root, ann_file='test_split1.txt', pipeline=test_pipeline))
param_scheduler = dict(end=epochs)
train_cfg = dict(max_epochs=epochs)
