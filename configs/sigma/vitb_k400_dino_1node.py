# 8 GPUs x 2 clips = 16 clips per step, learning rate 9.375e-6: the release's single-node script. Its batch is a
# placeholder; use as large a batch as fits and --auto-scale-lr.
_base_ = ['vitb_k400_dino.py']

batch_size = 2
global_batch = 16

train_dataloader = dict(batch_size=batch_size)
optim_wrapper = dict(optimizer=dict(lr=_base_.base_lr * global_batch / 256))
auto_scale_lr = dict(base_batch_size=global_batch)
