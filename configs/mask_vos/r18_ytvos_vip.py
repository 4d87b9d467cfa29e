# Mask-VOS of r18_ytvos.py tested on the validation set of VIP: parts are objects, up to 19 at once. Frames are resized
# to 560 x 560 regardless of their aspect ratio, with 4 previous frames, as in CRW. All frames count, the first one with
# the given labels.
_base_ = ['r18_ytvos.py']

data_root_test = 'data/VIP'

model = dict(memory=dict(num_context=4), geometry=dict(size=(560, 560)))
test_dataloader = dict(
    dataset=dict(_delete_=True, type='VOSDataset', layout='vip', data_root=data_root_test, split='val')
)
test_evaluator = dict(_delete_=True, type='VIPMetric', out_dir='vip_val')
