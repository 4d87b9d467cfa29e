# DINO ViT-S/8. Validation set of VIP with the protocol of DINO on DAVIS; frames are resized to 560 x 560 regardless of
# their aspect ratio, as in CRW. This combination is ours: the release has no such evaluation. All frames count, the
# first one after its labels were reduced to the grid of cells.
_base_ = ['dino_vits8.py']

data_root = 'data/VIP'

model = dict(geometry=dict(size=(560, 560), short_side=None), keep_given=False)
test_dataloader = dict(dataset=dict(_delete_=True, type='VOSDataset', layout='vip', data_root=data_root, split='val'))
test_evaluator = dict(_delete_=True, type='VIPMetric', out_dir='vip_val')
