# Video object segmentation by colours, carried by a propagator from a file outside the package.
_base_ = ['mmsigma::vos/colour.py']

custom_imports = dict(imports=['nearest_propagator'], allow_failed_imports=False)

model = dict(propagator=dict(_delete_=True, type='NearestPropagator', blend=0.3))
