# Segmentation alone, of clusters of features that nothing trained (table 4a of the paper).
_base_ = ['r18_ytvos.py']

model = dict(correspondence=None)
