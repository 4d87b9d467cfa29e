# Penn Action in groups of 4 videos of one action, 20 random frames of each with the one 15 frames before; tested on all
# frames. action='golf_swing' takes the videos of one action.
_base_ = ['alignment.py']

data_root = 'data/penn_action'
action = ''
train_list = f'train_{action}.txt' if action else 'train.txt'
val_list = f'val_{action}.txt' if action else 'val.txt'

train_dataloader = dict(dataset=dict(data_root=data_root, ann_file=train_list))
tested = _base_.test_dataloader.dataset.datasets
tested[0].data_root = tested[1].data_root = data_root
tested[0].ann_file, tested[1].ann_file = train_list, val_list
test_dataloader = dict(dataset=dict(datasets=tested))
