# Nearest neighbours on HMDB51 (split 1) in the features of a frozen ViT-B; see vitb_k400.py.
_base_ = ['vitb_ucf101.py']

data_root = 'data/hmdb51'

test_dataloader = dict(dataset=dict(data_root=data_root))
test_cfg = dict(bank_dataloader=dict(dataset=dict(data_root=data_root)))
