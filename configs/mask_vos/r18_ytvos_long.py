# Long-term correspondence alone (table 4a).
_base_ = ['r18_ytvos_corr.py']

model = dict(correspondence=dict(short_weight=0.0))
