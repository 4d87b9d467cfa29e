# The correspondence of the release alone, without masks. Otherwise as r18_ytvos_corr.py.
_base_ = ['r18_ytvos_corr.py']

model = dict(correspondence=dict(_delete_=True, type='AnchorCorrespondence', cross_weight=0.1, temporal_weight=1.0))
