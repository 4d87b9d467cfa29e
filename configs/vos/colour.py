# Baseline without a network on DAVIS-2017: the Lab colours of 4 x 4 parts of each cell. No checkpoint. Otherwise as
# r18.py.
_base_ = ['r18.py']

model = dict(
    backbone=dict(_delete_=True, type='ColourEncoder', parts=4),
    geometry=dict(mean=(0.0, 0.0, 0.0), std=(255.0, 255.0, 255.0)),
    propagator=dict(similarity='euclidean', temperature=0.01),
)
weights_in_config = True
