# SpeedNet: is a clip sped up; frames at equal distances, embeddings of any length. Otherwise as GTA.
_base_ = ['gta.py']

model = dict(neck=dict(normalize=False), head=dict(_delete_=True, type='SpeedHead'))
