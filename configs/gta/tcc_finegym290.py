# TCC: soft nearest neighbours lead back, regression with variance; embeddings of any length. On FineGym290, routines
# whose sets have one order; otherwise as gta_finegym290.
_base_ = ['gta_finegym290.py']

model = dict(neck=dict(normalize=False), head=dict(loss=dict(_delete_=True, type='TCCLoss', kind='regression_mse_var')))
