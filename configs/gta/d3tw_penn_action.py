# D3TW*: a video aligns better with a whole one than with a part; hinge, half of the video dropped. On Penn Action, 13
# actions in one network; otherwise as gta_penn_action.
_base_ = ['gta_penn_action.py']

model = dict(head=dict(loss=dict(_delete_=True, type='D3TWStarLoss', function='hinge', drop_share=0.5)))
