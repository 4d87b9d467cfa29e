# Shuffle and Learn: the order of three frames; embeddings of any length. On FineGym101, routines whose sets have one
# order; otherwise as gta_finegym101.
_base_ = ['gta_finegym101.py']

model = dict(neck=dict(normalize=False), head=dict(_delete_=True, type='OrderHead'))
