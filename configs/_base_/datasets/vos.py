# Test sets of video object segmentation, first masks given. dataset: davis2016 (20 videos of one object each),
# davis2017 (30 videos; all frames except the first and the last are scored), or one whose masks are on a test server,
# for which <out_dir>.zip is written: davis2017_testdev, ytvos2018, ytvos2019 (all frames are segmented,
# every fifth is kept).
dataset = 'davis2017'
data_root = dict(
    davis2016='data/DAVIS',
    davis2017='data/DAVIS',
    davis2017_testdev='data/DAVIS',
    ytvos2018='data/youtube_vos_2018',
    ytvos2019='data/youtube_vos_2019',
)[dataset]
num_workers = 0

videos = dict(
    davis2016=dict(layout='davis', year=2016, split='val'),
    davis2017=dict(layout='davis', year=2017, split='val'),
    davis2017_testdev=dict(layout='davis', year=2017, split='test-dev'),
    ytvos2018=dict(layout='youtube_vos', split='valid'),
    ytvos2019=dict(layout='youtube_vos', split='valid'),
)[dataset]
results = dict(
    davis2016=dict(out_dir='davis2016_val', fps=24),
    davis2017=dict(out_dir='davis2017_val', fps=24),
    davis2017_testdev=dict(out_dir='davis2017_test-dev', score=False, archive=True),
    ytvos2018=dict(out_dir='ytvos_valid', score=False, archive=True, top_folder='Annotations'),
    ytvos2019=dict(out_dir='ytvos_valid', score=False, archive=True, top_folder='Annotations'),
)[dataset]

test_dataloader = dict(
    batch_size=1,
    num_workers=num_workers,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='VOSDataset', data_root=data_root, **videos),
)
test_cfg = dict(type='TestLoop')
test_evaluator = dict(type='VOSMetric', **results)
