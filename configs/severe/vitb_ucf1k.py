# SEVERE, few samples: the 1,010 training videos (10 per class) that the benchmark draws from UCF101 split 1, top-1
# accuracy. 100 epochs, RandAugment (9, 0.5), 16 clips per step (8 GPUs x 2), learning rate 6.25e-5, 5 x 3 views.
_base_ = ['../_base_/datasets/ucf101.py', '../_base_/methods/finetune.py']

num_classes = 101
batch_size = 2
global_batch = 16

model = dict(head=dict(num_classes=num_classes), data_preprocessor=dict(mixing=dict(num_classes=num_classes)))
train_pipeline = [
    dict(type='ReadClip', decoder=_base_.decoder, sampling=dict(type='SampleDenseClip', clip_len=16, frame_interval=4)),
    dict(type='RandAugmentClip', policy='rand-m9-mstd0.5-inc1', size=224),
    dict(type='RandomResizedCropClip', size=224, scale=(0.25, 1.0), ratio=(3 / 4, 4 / 3)),
    dict(type='FlipClip', prob=0.5),
    dict(type='PackVideoInputs'),
]
train_dataloader = dict(
    batch_size=batch_size,
    dataset=dict(pipeline=train_pipeline, subset=dict(num_examples=1000, expected=9537)),
)
val_dataloader = dict(batch_size=batch_size)
optim_wrapper = dict(optimizer=dict(lr=_base_.base_lr * global_batch / 256))
auto_scale_lr = dict(base_batch_size=global_batch)
