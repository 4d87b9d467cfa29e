# Joints of JHMDB, test part of split 1, with the protocol of CRW: frames are resized to 320 x 320 regardless of their
# aspect ratio, 7 previous frames, Gaussian labels with a standard deviation of half a cell; a joint is the mean of its
# 3 best cells. Work that builds on CRW tests with a radius of 5; the default of its tool is 12.
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
