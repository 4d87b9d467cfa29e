# Adam as in Keras, a constant learning rate, 150,000 steps as 150 epochs of 1,000 groups, a checkpoint every 30,000
epochs = 150
lr = 1e-4

train_cfg = dict(type='ResumableEpochLoop', max_epochs=epochs)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=lr, betas=(0.9, 0.999), eps=1e-7))
param_scheduler = []
