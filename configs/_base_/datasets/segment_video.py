# One frame out of each of 16 segments, not flipped (Something-Something); otherwise as dense_video.py.
_base_ = ['dense_video.py']

train_pipeline = [step for step in _base_.train_pipeline if step.type != 'FlipClip']
train_pipeline[0].sampling = dict(type='SampleSegmentClip', clip_len=16)
val_pipeline, test_pipeline = _base_.val_pipeline, _base_.test_pipeline
val_pipeline[0].sampling = dict(type='SampleSegmentViews', clip_len=16, num_clips=1)
test_pipeline[0].sampling = dict(type='SampleSegmentViews', clip_len=16, num_clips=2)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
