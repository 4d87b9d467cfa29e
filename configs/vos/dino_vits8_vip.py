# VIP, validation, by the protocol of DINO on DAVIS, with frames of 560 x 560 whatever their shape, as CRW has them. A
# reading of ours: the release has no such evaluation. All frames count, the first one as what the cells have left of
# it.
_base_ = ['dino_vits8.py']

data_root = 'data/VIP'

model = dict(geometry=dict(size=(560, 560), short_side=None), keep_given=False)
test_dataloader = dict(dataset=dict(_delete_=True, type='VOSDataset', layout='vip', data_root=data_root, split='val'))
test_evaluator = dict(_delete_=True, type='VIPMetric', out_dir='vip_val')
