# Nearest neighbours on the motion classes of the demo dataset, with features of the frozen tiny demo model.
_base_ = ['finetune_tiny_demo.py']

model = dict(head=None)
train_dataloader = train_cfg = val_dataloader = val_cfg = val_evaluator = None
optim_wrapper = param_scheduler = None
bank_dataloader = dict(
    batch_size=_base_.batch_size,
    num_workers=_base_.num_workers,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        ann_file=_base_.ann_file_train,
        data_prefix=dict(video=_base_.video_folder),
        pipeline=_base_.val_pipeline,
        test_mode=True,
        **_base_.videos,
    ),
)
test_dataloader = dict(batch_size=_base_.batch_size, dataset=dict(pipeline=_base_.val_pipeline))
test_cfg = dict(_delete_=True, type='KNNTestLoop', bank_dataloader=bank_dataloader, k=(1, 5, 10, 20))
test_evaluator = []
