# GTA on golf swings with five phases: three videos to train on, two to test. 3 videos per step, learning rate 1e-3.
# Otherwise as gta_fir.py.
_base_ = ['gta_fir.py']

data_root = 'data/golf_phases'
batch_size = 3
phases_per_action = 5

train_dataloader = dict(batch_size=batch_size, sampler=dict(group_size=batch_size), dataset=dict(data_root=data_root))
test_dataloader = dict(
    dataset=dict(
        datasets=[
            dict(ann_file=_base_.ann_file_train, part='train', **dict(_base_.tested, data_root=data_root)),
            dict(ann_file=_base_.ann_file_test, part='val', **dict(_base_.tested, data_root=data_root)),
        ],
    ),
)
