# Nearest neighbours on Kinetics-400 in the features of a frozen ViT-B: the mean over all tokens of the centre view, the
# training set as the bank, k of 10, 20, 100, 200. Nothing is trained: tools/test.py CONFIG PRETRAINED.pth
_base_ = ['../_base_/models/frozen_vitb.py', '../_base_/datasets/dense_video.py', '../_base_/default_runtime.py']

data_root = 'data/kinetics400'
train_list, val_list = 'train.txt', 'val.txt'
batch_size = 16

train_dataloader = train_cfg = val_dataloader = val_cfg = val_evaluator = None
bank_dataloader = dict(
    batch_size=batch_size,
    num_workers=_base_.num_workers,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='VideoDataset', data_root=data_root, ann_file=train_list, pipeline=_base_.val_pipeline, test_mode=True
    ),
)
test_dataloader = dict(
    batch_size=batch_size, dataset=dict(data_root=data_root, ann_file=val_list, pipeline=_base_.val_pipeline)
)
test_cfg = dict(_delete_=True, type='KNNTestLoop', bank_dataloader=bank_dataloader, k=(10, 20, 100, 200))
test_evaluator = []
