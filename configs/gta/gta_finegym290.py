# GTA on FineGym290, as gta_finegym101. The classes of each event are in the index that the converter writes.
_base_ = ['gta_finegym101.py']

train_list = 'gym288_train_organised.json'
val_list = 'gym288_val_organised.json'

train_dataloader = dict(dataset=dict(ann_file=train_list))
tested = _base_.test_dataloader.dataset.datasets
tested[0].ann_file, tested[1].ann_file = train_list, val_list
test_dataloader = dict(dataset=dict(datasets=tested))
test_evaluator = dict(events=None)
