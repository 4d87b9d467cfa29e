# Shuffle and Learn: the order of three frames; embeddings of any length. On FineGym99, single elements as they are;
# otherwise as gta_finegym99.
_base_ = ['gta_finegym99.py']

model = dict(neck=dict(normalize=False), head=dict(_delete_=True, type='OrderHead'))
