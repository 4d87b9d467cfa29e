# The first frame alone in memory (table 4b); trains as r18_ytvos does.
_base_ = ['r18_ytvos.py']

model = dict(memory=dict(num_context=0))
