# Short-term correspondence alone (table 4a).
_base_ = ['r18_ytvos_corr.py']

model = dict(correspondence=dict(long_weight=0.0))
