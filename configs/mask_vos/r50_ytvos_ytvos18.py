# Test on YouTube-VOS 2018, validation: all frames are segmented, every fifth is kept; <work dir>/ytvos_valid.zip goes
# to the server.
_base_ = ['r50_ytvos.py']

test_root = 'data/youtube_vos_2018'
dataset = dict(_delete_=True, type='VOSDataset', layout='youtube_vos', data_root=test_root, split='valid')
test_dataloader = dict(dataset=dataset)
test_evaluator = dict(out_dir='ytvos_valid', score=False, archive=True, top_folder='Annotations')
