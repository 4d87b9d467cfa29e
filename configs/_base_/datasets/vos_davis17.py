# DAVIS-2017, validation: 30 videos, first masks given, all frames scored but the first and the last
data_root = 'data/DAVIS'

test_dataloader = dict(
    batch_size=1,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='VOSDataset', layout='davis', data_root=data_root, year=2017, split='val'),
)
test_cfg = dict(type='TestLoop')
test_evaluator = dict(type='VOSMetric', out_dir='davis2017_val')
