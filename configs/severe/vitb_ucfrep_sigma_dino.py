# SEVERE, repetition counting on UCFRep, recipe of the SIGMA paper: windows of 32 frames of 224 x 224, 100 epochs, 32
# videos per step (8 GPUs x 4), Adam, constant learning rate 5e-5. Load the pre-trained weights with --cfg-options
# load_from=...
# data_root contains the annotations as folders of .mat files, train/ and val/, and the videos of UCF101 anywhere in
# videos/. Each batch is trained on for 11 updates, along walks that the predictions steer; num_steps=1 gives one
# update. 421 videos x 10 parts x 11 updates x 100 epochs are 4.6 million windows; the paper mentions about 2 million.
_base_ = ['../_base_/default_runtime.py']

data_root = 'data/ucfrep'
ann_file_train = 'train'
video_folder = 'videos'
ann_file_val = 'val'
ann_file_test = ann_file_val
# decord and torchcodec are not trusted with UCF101's AVI files with B-frames
decoder = 'auto'
img_size = 224
epochs = 100
batch_size = 4
num_workers = 4
# absolute, for any batch size
base_lr = 5e-5

model = dict(
    type='RepetitionCounter',
    data_preprocessor=dict(type='RaggedVideoPreprocessor'),
    backbone=dict(type='VideoVisionTransformer', arch='base', img_size=img_size, num_frames=32, final_norm=False),
    head=dict(type='CountingHead', box_weight=50.0),
    num_steps=11,
    walk=dict(max_factor=3.0, moves=(5.0, 20.0)),
    reference_padding=False,
)
# updates within a batch need it; unused on one GPU
model_wrapper_cfg = dict(type='InnerStepsDistributedDataParallel', broadcast_buffers=False)

train_pipeline = [
    dict(
        type='ReadClip',
        decoder=decoder,
        sampling=dict(type='SampleRepetitions', random=True, min_cycles=2, max_frames=300),
    ),
    dict(type='Letterbox', size=img_size),
    dict(type='FlipClip', prob=0.5),
    dict(type='PackRepetitionInputs'),
]
test_pipeline = [
    dict(type='ReadClip', decoder=decoder, sampling=dict(type='SampleRepetitions', random=False)),
    dict(type='Letterbox', size=img_size),
    dict(type='PackRepetitionInputs'),
]
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    pin_memory=True,
    drop_last=True,
    sampler=dict(type='SeededSampler', shuffle=True),
    dataset=dict(
        type='RepetitionDataset',
        data_root=data_root,
        ann_file=ann_file_train,
        data_prefix=dict(video=video_folder),
        samples_per_video=10,
        pipeline=train_pipeline,
    ),
)
# SEVERE selects the checkpoint by the error on these videos; here the last one counts
val_dataloader = dict(
    batch_size=1,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='RepetitionDataset',
        data_root=data_root,
        ann_file=ann_file_val,
        data_prefix=dict(video=video_folder),
        strict=True,
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='RepetitionDataset',
        data_root=data_root,
        ann_file=ann_file_test,
        data_prefix=dict(video=video_folder),
        strict=True,
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
val_evaluator = test_evaluator = dict(type='CountingErrorMetric')

train_cfg = dict(type='ResumableEpochLoop', max_epochs=epochs, val_interval=10)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=base_lr))
auto_scale_lr = dict(base_batch_size=32, enable=False)
