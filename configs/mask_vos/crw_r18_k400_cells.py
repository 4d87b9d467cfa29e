# Walks over every fourth cell of the keys of whole frames in place of patches: one encoding of the frames serves both
# losses. The crops of the frames differ, so that places in them do not tell cells apart.
_base_ = ['crw_r18_k400.py']

model = dict(correspondence=dict(nodes='cells', cell_stride=4))
