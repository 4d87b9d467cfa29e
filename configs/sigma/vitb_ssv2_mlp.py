# SIGMA-MLP, ViT-B, Something-Something V2, 4000 prototypes. 16 GPUs x 32 clips = 512 clips per step,
# learning rate 3.0e-4. No script of the release says which epsilon; 0.05 is a choice, its value for all but ViT-B with
# DINO on this data.
_base_ = ['vitb_ssv2_dino.py']

model = dict(
    target=dict(_delete_=True, type='MLPTarget'),
    head=dict(num_prototypes=4000, loss=dict(epsilon=0.05)),
)
