# Joints of JHMDB, split 1, test, by the protocol of CRW: frames of 320 x 320 whatever their shape, 7 previous frames,
# bells of half a cell, a joint is the mean of its 3 best cells. Its users test with a radius of 5, its tool's default
# is 12.
_base_ = ['r18_crw.py']

data_root = 'data/JHMDB'

model = dict(
    type='KeypointPropagation',
    geometry=dict(size=(320, 320)),
    propagator=dict(num_context=7, radius=5),
    sigma=0.5,
    k=3,
)
test_dataloader = dict(dataset=dict(_delete_=True, type='JHMDBDataset', data_root=data_root, split=1))
test_evaluator = dict(_delete_=True, type='PCKMetric', out_dir='jhmdb_split1')
