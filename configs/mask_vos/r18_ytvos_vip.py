# Mask-VOS of r18_ytvos tested on VIP, validation: parts are objects, up to 19 at once. Frames of 560 x 560 whatever
# their shape and 4 previous ones, as CRW has them; all frames count, the first one as it is given.
_base_ = ['r18_ytvos.py']

data_root_test = 'data/VIP'

model = dict(memory=dict(num_context=4), geometry=dict(size=(560, 560)))
test_dataloader = dict(
    dataset=dict(_delete_=True, type='VOSDataset', layout='vip', data_root=data_root_test, split='val')
)
test_evaluator = dict(_delete_=True, type='VIPMetric', out_dir='vip_val')
