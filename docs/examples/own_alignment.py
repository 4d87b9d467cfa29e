# The GTA demo with a loss from a file outside the package.
_base_ = ['mmsigma::demo/gta_tiny_demo.py']

custom_imports = dict(imports=['proportional_loss'], allow_failed_imports=False)

model = dict(head=dict(loss=dict(_delete_=True, type='ProportionalLoss', temperature=0.2)))
