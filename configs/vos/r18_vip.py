# VIP, validation, by the protocol of CRW: frames of 560 x 560 whatever their shape, 4 previous frames (num_context=20
# for those of VFS), the 10 most similar cells within 12. All frames count, the first one, which is given, as what the
# cells have left of it; for masks that stay what they are in frames where they are given: model.keep_given=True.
_base_ = ['r18_crw.py']

data_root = 'data/VIP'
num_context = 4

model = dict(geometry=dict(size=(560, 560)), propagator=dict(num_context=num_context), keep_given=False)
test_dataloader = dict(dataset=dict(_delete_=True, type='VOSDataset', layout='vip', data_root=data_root, split='val'))
test_evaluator = dict(_delete_=True, type='VIPMetric', out_dir='vip_val')
