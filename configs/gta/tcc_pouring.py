# TCC: soft nearest neighbours lead back, regression with variance; embeddings of any length. On Pouring; otherwise as
# gta_pouring.
_base_ = ['gta_pouring.py']

model = dict(neck=dict(normalize=False), head=dict(loss=dict(_delete_=True, type='TCCLoss', kind='regression_mse_var')))
