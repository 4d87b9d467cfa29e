# D3TW*, a baseline of the GTA paper: a video has to align better with a whole video than with a part of it. Hinge loss,
# half of the video dropped. Otherwise as GTA.
_base_ = ['gta.py']

model = dict(head=dict(loss=dict(_delete_=True, type='D3TWStarLoss', function='hinge', drop_share=0.5)))
