# GTA on FineGym99: groups of single elements of one class, as they are. Testing takes checkpoints of gta_finegym101,
# too.
_base_ = ['gta_finegym101.py']

train_list = 'gym99_train_clips.json'
val_list = 'gym99_val_clips.json'

train_dataloader = dict(dataset=dict(ann_file=train_list))
tested = _base_.test_dataloader.dataset.datasets
tested[0].ann_file, tested[1].ann_file = train_list, val_list
test_dataloader = dict(dataset=dict(datasets=tested))
