# Nearest neighbours on UCF101 (split 1) in the features of a frozen ViT-B; see vitb_k400.py.
_base_ = ['vitb_k400.py']

data_root = 'data/ucf101'

test_dataloader = dict(dataset=dict(data_root=data_root, ann_file='test_split1.txt'))
test_cfg = dict(bank_dataloader=dict(dataset=dict(data_root=data_root, ann_file='train_split1.txt')))
