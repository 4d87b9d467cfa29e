# Fine-tuning on mini-SSv2, half of the classes of Something-Something V2, as for the paper's ablations (give its lists
# as train.txt and val.txt): 40 epochs, 32 clips per step (8 GPUs x 4), learning rate 1.25e-4, 2 x 3 views.
_base_ = ['vitb_ssv2.py']

data_root = 'data/mini_sthv2'
num_classes = 87

model = dict(head=dict(num_classes=num_classes), data_preprocessor=dict(mixing=dict(num_classes=num_classes)))
train_dataloader = dict(dataset=dict(data_root=data_root))
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = dict(dataset=dict(data_root=data_root))
