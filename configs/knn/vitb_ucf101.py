# Nearest neighbours on UCF101 (split 1) in the features of a frozen ViT-B; see vitb_k400.py.
_base_ = ['vitb_k400.py']

data_root = 'data/ucf101'
train_list, val_list = 'train_split1.txt', 'test_split1.txt'
decoder = 'pyav'  # AVI files with B-frames

pipeline = _base_.val_pipeline
pipeline[0].decoder = decoder
test_dataloader = dict(dataset=dict(data_root=data_root, ann_file=val_list, pipeline=pipeline))
test_cfg = dict(bank_dataloader=dict(dataset=dict(data_root=data_root, ann_file=train_list, pipeline=pipeline)))
