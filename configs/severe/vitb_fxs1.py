# SEVERE, granularity: FX-S1, 11 classes of one set of floor exercise (Gym99 labels 6 to 16), 1,882 training videos,
# mean class accuracy. 100 epochs, 16 clips per step (8 GPUs x 2), learning rate 6.25e-5, 5 x 3 views.
_base_ = ['vitb_gym99.py']

num_classes = 11
label_range = (6, 16)

model = dict(head=dict(num_classes=num_classes), data_preprocessor=dict(mixing=dict(num_classes=num_classes)))
train_dataloader = dict(dataset=dict(label_range=label_range))
val_dataloader = dict(dataset=dict(label_range=label_range))
test_dataloader = dict(dataset=dict(label_range=label_range))
default_hooks = dict(checkpoint=dict(save_best='acc/mean_class'))
