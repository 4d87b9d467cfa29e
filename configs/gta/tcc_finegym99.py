# TCC: soft nearest neighbours lead back, regression with variance; embeddings of any length. On FineGym99, single
# elements as they are; otherwise as gta_finegym99.
_base_ = ['gta_finegym99.py']

model = dict(neck=dict(normalize=False), head=dict(loss=dict(_delete_=True, type='TCCLoss', kind='regression_mse_var')))
