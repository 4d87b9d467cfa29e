# SIGMA with the teacher of sigma_lite0.py, whose maps of whole frames tools/cache_teacher.py has written to the folder
# maps. 32 clips per step, learning rate 1e-3.
_base_ = ['sigma_mlp.py']

maps = 'data/evidence_maps'

model = dict(target=dict(_delete_=True, type='StoredTarget', out_channels=112, grid=(7, 7)))
train_pipeline = [
    *_base_.train_pipeline[:2],
    dict(type='LoadTargetMaps', folder=maps, videos=_base_.data_root, grid=(7, 7)),
    *_base_.train_pipeline[2:],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
