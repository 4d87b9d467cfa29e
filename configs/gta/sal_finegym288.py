# Shuffle and Learn: the order of three frames; embeddings of any length. On FineGym288, single elements as they are;
# otherwise as gta_finegym288.
_base_ = ['gta_finegym288.py']

model = dict(neck=dict(normalize=False), head=dict(_delete_=True, type='OrderHead'))
