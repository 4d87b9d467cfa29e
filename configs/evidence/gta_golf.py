# GTA on golf swings with five phases: three videos to train on, two to test. 3 videos per step, learning rate 1e-3.
# Otherwise as gta_fir.py.
_base_ = ['gta_fir.py']

data_root = 'data/golf_phases'
batch_size = 3
phases_per_action = 5

train_dataloader = dict(batch_size=batch_size, sampler=dict(group_size=batch_size), dataset=dict(data_root=data_root))
tested = dict(_base_.tested, data_root=data_root)
trained_on = dict(ann_file=_base_.ann_file_train, data_prefix=dict(video=_base_.video_folder), part='train', **tested)
others = dict(ann_file=_base_.ann_file_test, data_prefix=dict(video=_base_.video_folder_val), part='val', **tested)
test_dataloader = dict(dataset=dict(datasets=[trained_on, others]))
