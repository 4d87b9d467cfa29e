# Nearest neighbours on UCF101 (split 1) with features of a frozen ViT-B; see vitb_k400.py. HMDB51: --cfg-options
# data_root=data/hmdb51
_base_ = ['../_base_/datasets/ucf101.py', '../_base_/methods/knn.py']

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
