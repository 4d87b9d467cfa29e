# SEVERE, multi-label classification on Charades, recipe of the SIGMA paper: 16 frames at stride 8, 57 epochs, 16 clips
# per step (8 GPUs x 2), learning rate 1e-4, sigmoid per class, maximum over 10 clips. The paper names no optimiser:
# AdamW, cosine schedule and layer decay are those of its other fine-tuning. Load the pre-trained weights with
# --cfg-options load_from=...
_base_ = ['../_base_/datasets/k400.py', '../_base_/methods/finetune.py']

# <id>.mp4 in video_folder. For folders of frames:
# --cfg-options decoder=frames frames=True fps=24 video_folder=Charades_v1_rgb
data_root = 'data/charades'
ann_file_train = 'Charades_v1_train.csv'
ann_file_val = 'Charades_v1_test.csv'
ann_file_test = ann_file_val
video_folder = 'videos'
decoder = 'auto'
frames = False
fps = None
num_clips = 10
epochs = 57
batch_size = 2
global_batch = 16
# per 256 clips
base_lr = 1.6e-3

model = dict(
    data_preprocessor=dict(_delete_=True, type='VideoDataPreprocessor'),
    head=dict(num_classes=157, multi_label=True, label_smoothing=0.0),
)
train_pipeline = [
    dict(type='ReadClip', decoder=decoder, sampling=dict(type='SampleCharadesClip', clip_len=16, frame_interval=8)),
    dict(type='ShortSideCrop', size=224, short_side=(256, 340)),
    dict(type='FlipClip', prob=0.5),
    dict(type='PackVideoInputs'),
]
val_pipeline = [
    dict(
        type='ReadClip',
        decoder=decoder,
        sampling=dict(type='SampleCharadesClip', clip_len=16, frame_interval=8, num_clips=1),
    ),
    dict(type='CropViews', size=224, num_crops=1),
    dict(type='PackVideoInputs'),
]
test_pipeline = [
    dict(
        type='ReadClip',
        decoder=decoder,
        sampling=dict(type='SampleCharadesClip', clip_len=16, frame_interval=8, num_clips=num_clips),
    ),
    dict(type='CropViews', size=224, num_crops=1),
    dict(type='PackVideoInputs'),
]
videos = dict(type='CharadesDataset', data_root=data_root, data_prefix=dict(video=video_folder), frames=frames, fps=fps)
train_dataloader = dict(batch_size=batch_size, dataset=dict(ann_file=ann_file_train, pipeline=train_pipeline, **videos))
val_dataloader = dict(
    batch_size=batch_size, dataset=dict(ann_file=ann_file_val, strict=True, pipeline=val_pipeline, **videos)
)
test_dataloader = dict(dataset=dict(ann_file=ann_file_test, strict=True, pipeline=test_pipeline, **videos))
val_evaluator = test_evaluator = dict(_delete_=True, type='MultiLabelMAP')

optim_wrapper = dict(optimizer=dict(lr=base_lr * global_batch / 256))
param_scheduler = dict(end=epochs, min_ratio=1e-2)
train_cfg = dict(max_epochs=epochs)
auto_scale_lr = dict(base_batch_size=global_batch)
default_hooks = dict(checkpoint=dict(save_best='multi_label/mAP'))
