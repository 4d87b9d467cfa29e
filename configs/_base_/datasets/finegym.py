# FineGym101: as Penn Action, groups of 4 routines of one event whose sets have one order; tested by a support vector
# machine of single frames, one of 25 to learn from, for all events and each
_base_ = ['alignment.py']

data_root = 'data/gym'
train_list = 'gym99_train_organised.json'
val_list = 'gym99_val_organised.json'
decoder = 'decord'
fine_stride = 25

train_pipeline, test_pipeline = _base_.train_pipeline, _base_.test_pipeline
train_pipeline[0].decoder = test_pipeline[0].decoder = decoder
train_dataloader = dict(dataset=dict(data_root=data_root, ann_file=train_list, pipeline=train_pipeline))
tested = dict(
    type='PhaseVideoDataset',
    data_root=data_root,
    data_prefix=dict(video=''),
    pipeline=test_pipeline,
    test_mode=True,
)
test_dataloader = dict(
    dataset=dict(
        datasets=[dict(tested, ann_file=train_list, part='train'), dict(tested, ann_file=val_list, part='val')]
    )
)
test_evaluator = dict(
    _delete_=True,
    type='AlignmentMetric',
    measures=('fine_grained',),
    fine_stride=fine_stride,
    events=dict(VT=[*range(6), 99, 100], FX=list(range(6, 41)), BB=list(range(41, 74)), UB=list(range(74, 99))),
)
