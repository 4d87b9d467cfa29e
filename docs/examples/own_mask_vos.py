# The Mask-VOS demo with a visual encoder and a scheme of correspondence from files outside the package.
_base_ = ['mmsigma::demo/mask_vos_tiny_demo.py']

custom_imports = dict(imports=['patch_key_encoder', 'view_correspondence'], allow_failed_imports=False)

model = dict(
    backbone=dict(_delete_=True, type='PatchMLPEncoder', key_dims=64),
    correspondence=dict(_delete_=True, type='ViewCorrespondence'),
)
