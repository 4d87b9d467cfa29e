# SEVERE, few samples: the 1,010 training videos (10 per class) that the benchmark draws from UCF101 split 1, top-1
# accuracy. 100 epochs, 16 clips per step (8 GPUs x 2), learning rate 6.25e-5, 5 x 3 views.
_base_ = ['vitb_gym99.py']

data_root = 'data/ucf101'
train_list, val_list = 'train_split1.txt', 'test_split1.txt'
decoder = 'pyav'  # AVI files with B-frames
num_classes = 101

model = dict(head=dict(num_classes=num_classes), data_preprocessor=dict(mixing=dict(num_classes=num_classes)))
train_pipeline, val_pipeline, test_pipeline = _base_.train_pipeline, _base_.val_pipeline, _base_.test_pipeline
train_pipeline[0].decoder = val_pipeline[0].decoder = test_pipeline[0].decoder = decoder
train_set = dict(ann_file=train_list, pipeline=train_pipeline, subset=dict(num_examples=1000, expected=9537))
train_dataloader = dict(dataset=dict(data_root=data_root, **train_set))
val_dataloader = dict(dataset=dict(data_root=data_root, ann_file=val_list, pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(data_root=data_root, ann_file=val_list, pipeline=test_pipeline))
