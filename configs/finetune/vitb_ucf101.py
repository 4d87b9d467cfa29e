# Fine-tuning on UCF101 (split 1), ViT-B: 100 epochs, two augmented samples of every clip, 8 GPUs x 8 clips accumulated
# over 4 steps = 256 clips per update, learning rate 1e-3, 10 x 3 views. This is the recipe of MME (CVPR 2023); SIGMA
# reports UCF101 only in its probes and SEVERE. HMDB51 with the same recipe: --cfg-options data_root=data/hmdb51
# num_classes=51
_base_ = ['../_base_/datasets/ucf101.py', '../_base_/methods/finetune.py']

num_classes = 101
batch_size = 8
global_batch = 256
num_clips = 10

model = dict(head=dict(num_classes=num_classes), data_preprocessor=dict(mixing=dict(num_classes=num_classes)))
# each clip is augmented twice
augmentation = [
    dict(type='RandAugmentClip', policy='rand-m7-n4-mstd0.5-inc1', size=224),
    dict(type='RandomResizedCropClip', size=224, scale=(0.25, 1.0), ratio=(3 / 4, 4 / 3)),
    dict(type='FlipClip', prob=0.5),
    dict(type='PackVideoInputs'),
]
train_pipeline = [
    dict(type='ReadClip', decoder=_base_.decoder, sampling=dict(type='SampleDenseClip', clip_len=16, frame_interval=4)),
    dict(type='RepeatAugment', num_repeats=2, transforms=augmentation),
]
test_pipeline = [
    dict(
        type='ReadClip',
        decoder=_base_.decoder,
        sampling=dict(type='SampleDenseViews', clip_len=16, frame_interval=4, num_clips=num_clips),
    ),
    dict(type='CropViews', size=224, num_crops=3),
    dict(type='PackVideoInputs'),
]
train_dataloader = dict(
    batch_size=batch_size, collate_fn=dict(type='flatten_collate'), dataset=dict(pipeline=train_pipeline)
)
val_dataloader = dict(batch_size=batch_size)
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
optim_wrapper = dict(optimizer=dict(lr=_base_.base_lr * global_batch / 256), accumulative_counts=4)
# both samples of a clip count
auto_scale_lr = dict(base_batch_size=2 * global_batch // 4)
