# Fine-tuning on UCF101 (split 1), ViT-B: 100 epochs, two augmented samples of every clip, 8 GPUs x 8 clips accumulated
# over 4 steps = 256 clips per update, learning rate 1e-3, 10 x 3 views (the recipe of MME; SIGMA reports UCF101 only
# in its probes and SEVERE).
_base_ = ['vitb_k400.py']

data_root = 'data/ucf101'
decoder = 'pyav'  # AVI files with B-frames
num_classes = 101
num_clips = 10
global_batch = 256
batch_size = 8

model = dict(head=dict(num_classes=num_classes), data_preprocessor=dict(mixing=dict(num_classes=num_classes)))
train_pipeline, val_pipeline, test_pipeline = _base_.train_pipeline, _base_.val_pipeline, _base_.test_pipeline
train_pipeline[0].decoder = val_pipeline[0].decoder = test_pipeline[0].decoder = decoder
test_pipeline[0].sampling.num_clips = num_clips
repeated = [train_pipeline[0], dict(type='RepeatAugment', num_repeats=2, transforms=train_pipeline[1:])]
train_dataloader = dict(
    batch_size=batch_size,
    collate_fn=dict(type='flatten_collate'),
    dataset=dict(data_root=data_root, ann_file='train_split1.txt', pipeline=repeated),
)
val_dataloader = dict(dataset=dict(data_root=data_root, ann_file='test_split1.txt', pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(data_root=data_root, ann_file='test_split1.txt', pipeline=test_pipeline))
optim_wrapper = dict(optimizer=dict(lr=_base_.base_lr * global_batch / 256), accumulative_counts=4)
auto_scale_lr = dict(base_batch_size=global_batch // 4)
