# Shuffle and Learn (ECCV 2016): classifies the order of three frames. Embeddings are not normalised. Otherwise as GTA.
_base_ = ['gta.py']

model = dict(neck=dict(normalize=False), head=dict(_delete_=True, type='OrderHead'))
