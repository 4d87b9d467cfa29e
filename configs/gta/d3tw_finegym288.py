# D3TW*: a video aligns better with a whole one than with a part; hinge, half of the video dropped. On FineGym288,
# single elements as they are; otherwise as gta_finegym288.
_base_ = ['gta_finegym288.py']

model = dict(head=dict(loss=dict(_delete_=True, type='D3TWStarLoss', function='hinge', drop_share=0.5)))
