# Attentive probe (V-JEPA 2: 4 blocks, 16 heads) on Kinetics-400, frozen ViT-B: 20 epochs, 128 clips per step (8 GPUs x
# 16), learning rate 1e-3, weight decay 0.1, no warm-up, no flip, 8 x 3 views. To try many rates at once, store tokens
# and use tools/probe.py attentive. README.md says what V-JEPA 2 does otherwise.
_base_ = ['vitb_k400.py']

epochs = 20
base_lr = 2e-3
num_clips = 8

model = dict(
    data_preprocessor=dict(mixing=None),
    head=dict(_delete_=True, type='AttentiveHead', num_classes=_base_.num_classes, num_heads=16, depth=4),
)
train_pipeline = [step for step in _base_.train_pipeline if step.type != 'FlipClip']
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
test_pipeline = _base_.test_pipeline
test_pipeline[0].sampling.num_clips = num_clips
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
optim_wrapper = dict(optimizer=dict(lr=base_lr * _base_.global_batch / 256, weight_decay=0.1))
param_scheduler = dict(warmup=0, end=epochs, min_ratio=0.0)
train_cfg = dict(max_epochs=epochs)
