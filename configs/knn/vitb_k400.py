# Nearest neighbours on Kinetics-400 with features of a frozen ViT-B: the mean over all tokens of the centre view, the
# training set as the bank, k of 10, 20, 100 and 200. Nothing is trained: tools/test.py CONFIG PRETRAINED.pth
_base_ = ['../_base_/datasets/k400.py', '../_base_/methods/knn.py']

batch_size = 16

bank_dataloader = dict(
    batch_size=batch_size,
    num_workers=_base_.num_workers,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='VideoDataset',
        data_root=_base_.data_root,
        ann_file=_base_.ann_file_train,
        data_prefix=dict(video=_base_.video_folder),
        pipeline=_base_.val_pipeline,
        test_mode=True,
    ),
)
test_dataloader = dict(batch_size=batch_size, dataset=dict(pipeline=_base_.val_pipeline))
test_cfg = dict(_delete_=True, type='KNNTestLoop', bank_dataloader=bank_dataloader, k=(10, 20, 100, 200))
test_evaluator = []
train_dataloader = val_dataloader = val_cfg = val_evaluator = None
