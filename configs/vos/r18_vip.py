# Validation set of VIP with the protocol of CRW: frames are resized to 560 x 560 regardless of their aspect ratio, 4
# previous frames (num_context=20 for those of VFS), the 10 most similar cells within radius 12. All frames count; the
# first one, which is given, after its labels were reduced to the grid of cells. To score the given labels themselves:
# model.keep_given=True.
_base_ = ['r18_crw.py']

data_root = 'data/VIP'
num_context = 4

model = dict(geometry=dict(size=(560, 560)), propagator=dict(num_context=num_context), keep_given=False)
test_dataloader = dict(dataset=dict(_delete_=True, type='VOSDataset', layout='vip', data_root=data_root, split='val'))
test_evaluator = dict(_delete_=True, type='VIPMetric', out_dir='vip_val')
