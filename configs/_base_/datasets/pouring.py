# Pouring: as Penn Action, groups of 2 videos
_base_ = ['alignment.py']

data_root = 'data/pouring'
group_size = 2

train_dataloader = dict(batch_size=group_size, sampler=dict(group_size=group_size), dataset=dict(data_root=data_root))
tested = _base_.test_dataloader.dataset.datasets
tested[0].data_root = tested[1].data_root = data_root
test_dataloader = dict(dataset=dict(datasets=tested))
