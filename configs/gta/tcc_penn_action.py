# TCC: soft nearest neighbours lead back, regression with variance; embeddings of any length. On Penn Action, 13
# actions in one network; otherwise as gta_penn_action.
_base_ = ['gta_penn_action.py']

model = dict(neck=dict(normalize=False), head=dict(loss=dict(_delete_=True, type='TCCLoss', kind='regression_mse_var')))
