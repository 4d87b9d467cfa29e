# Test on YouTube-VOS 2019, validation.
_base_ = ['r18_ytvos_ytvos18.py']

test_root = 'data/youtube_vos_2019'
test_dataloader = dict(dataset=dict(data_root=test_root))
