# Shuffle and Learn: the order of three frames; embeddings of any length. On Penn Action, 13 actions in one network;
# otherwise as gta_penn_action.
_base_ = ['gta_penn_action.py']

model = dict(neck=dict(normalize=False), head=dict(_delete_=True, type='OrderHead'))
