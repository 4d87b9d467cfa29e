# TCC: soft nearest neighbours lead back, regression with variance; embeddings of any length. Otherwise as GTA.
_base_ = ['gta.py']

model = dict(neck=dict(normalize=False), head=dict(loss=dict(_delete_=True, type='TCCLoss', kind='regression_mse_var')))
