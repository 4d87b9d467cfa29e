# TCN: each frame and one up to 5 frames before it, n-pairs; embeddings of any length. Otherwise as GTA.
_base_ = ['gta.py']

# farthest frame that counts as the same moment, which the sampling chooses
positives = 5

model = dict(neck=dict(normalize=False), head=dict(loss=dict(_delete_=True, type='TCNLoss', kind='n_pairs')))
