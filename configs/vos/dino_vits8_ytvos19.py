# YouTube-VOS 2019, validation
_base_ = ['dino_vits8_ytvos18.py']

data_root = 'data/youtube_vos_2019'
test_dataloader = dict(dataset=dict(data_root=data_root))
