# D3TW*: a video aligns better with a whole one than with a part; hinge, half of the video dropped. On FineGym290,
# routines whose sets have one order; otherwise as gta_finegym290.
_base_ = ['gta_finegym290.py']

model = dict(head=dict(loss=dict(_delete_=True, type='D3TWStarLoss', function='hinge', drop_share=0.5)))
