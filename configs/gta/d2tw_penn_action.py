# Alignment in one direction without cycle consistency. On Penn Action, 13 actions in one network; otherwise as
# gta_penn_action.
_base_ = ['gta_penn_action.py']

model = dict(head=dict(loss=dict(_delete_=True, type='D2TWLoss')))
