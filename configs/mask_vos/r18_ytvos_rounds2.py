# 2 rounds of refinement in testing (table 4e); trains as r18_ytvos does.
_base_ = ['r18_ytvos.py']

model = dict(memory=dict(num_rounds=2))
