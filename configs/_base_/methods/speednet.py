# SpeedNet (CVPR 2020): classifies whether a clip is sped up. Frames at equal distances; embeddings are not normalised.
# Otherwise as GTA.
_base_ = ['gta.py']

model = dict(neck=dict(normalize=False), head=dict(_delete_=True, type='SpeedHead'))
