# Shuffle and Learn: the order of three frames; embeddings of any length. On Pouring; otherwise as gta_pouring.
_base_ = ['gta_pouring.py']

model = dict(neck=dict(normalize=False), head=dict(_delete_=True, type='OrderHead'))
