# Linear probe on HMDB51 (split 1), frozen ViT-B, the paper's table: 100 epochs, 128 clips per step (8 GPUs x 16),
# learning rate 5e-4, 5 x 3 views. Norm and linear layer train; see vitb_k400.py.
_base_ = ['vitb_ucf101.py']

data_root = 'data/hmdb51'
num_classes = 51

model = dict(head=dict(num_classes=num_classes), data_preprocessor=dict(mixing=dict(num_classes=num_classes)))
train_dataloader = dict(dataset=dict(data_root=data_root))
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = dict(dataset=dict(data_root=data_root))
