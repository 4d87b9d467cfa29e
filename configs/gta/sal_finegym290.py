# Shuffle and Learn: the order of three frames; embeddings of any length. On FineGym290, routines whose sets have one
# order; otherwise as gta_finegym290.
_base_ = ['gta_finegym290.py']

model = dict(neck=dict(normalize=False), head=dict(_delete_=True, type='OrderHead'))
