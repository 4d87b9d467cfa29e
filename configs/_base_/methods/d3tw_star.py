# D3TW*: a video aligns better with a whole one than with a part; hinge, half of the video dropped. Otherwise as GTA.
_base_ = ['gta.py']

model = dict(head=dict(loss=dict(_delete_=True, type='D3TWStarLoss', function='hinge', drop_share=0.5)))
