# SIGMA-MLP, ViT-B, Something-Something V2, 4000 prototypes. 16 GPUs x 32 clips = 512 clips per step,
# learning rate 3.0e-4.
_base_ = ['vitb_ssv2_dino.py']

model = dict(
    target=dict(_delete_=True, type='MLPTarget'),
    head=dict(num_prototypes=4000, loss=dict(epsilon=0.05)),
)
