# SEVERE, few samples: the 1,010 training videos (10 per class) that the benchmark draws from UCF101 split 1, top-1
# accuracy. 100 epochs, 16 clips per step (8 GPUs x 2), learning rate 6.25e-5, 5 x 3 views.
_base_ = ['vitb_gym99.py']

data_root = 'data/ucf101'
num_classes = 101

model = dict(head=dict(num_classes=num_classes), data_preprocessor=dict(mixing=dict(num_classes=num_classes)))
train_dataloader = dict(dataset=dict(data_root=data_root, ann_file='train_split1.txt', subset=dict(num_examples=1000)))
val_dataloader = dict(dataset=dict(data_root=data_root, ann_file='test_split1.txt'))
test_dataloader = dict(dataset=dict(data_root=data_root, ann_file='test_split1.txt'))
