# TCC (CVPR 2019): cycle consistency of soft nearest neighbours, regression with variance. Embeddings are not
# normalised. Otherwise as GTA.
_base_ = ['gta.py']

model = dict(neck=dict(normalize=False), head=dict(loss=dict(_delete_=True, type='TCCLoss', kind='regression_mse_var')))
