# TCN (ICRA 2018): each frame and one up to 5 frames before it, n-pairs loss. Embeddings are not normalised. Otherwise
# as GTA.
_base_ = ['gta.py']

# largest distance in frames that counts as the same moment; used by the sampling
positives = 5

model = dict(neck=dict(normalize=False), head=dict(loss=dict(_delete_=True, type='TCNLoss', kind='n_pairs')))
