# Nearest neighbours on Something-Something V2 in the features of a frozen ViT-B, of the middles of 16 segments; see
# vitb_k400.py.
_base_ = ['vitb_k400.py']

data_root = 'data/sthv2'

val_pipeline = _base_.val_pipeline
val_pipeline[0].sampling = dict(type='SampleSegmentViews', clip_len=16, num_clips=1)
test_dataloader = dict(dataset=dict(data_root=data_root, pipeline=val_pipeline))
test_cfg = dict(bank_dataloader=dict(dataset=dict(data_root=data_root, pipeline=val_pipeline)))
