# SEVERE, few samples: the 1,089 training videos (11 per class) that the benchmark draws from Gym99, top-1 accuracy. 100
# epochs, 16 clips per step (8 GPUs x 2), learning rate 6.25e-5, 5 x 3 views.
_base_ = ['vitb_gym99.py']

train_dataloader = dict(dataset=dict(subset=dict(num_examples=1000, expected=20484)))
