# SIGMA-DINO, ViT-L, as vitl_k400_dino.py with sharded parameters (FSDP). 32 GPUs x 20 clips = 640 clips per step,
# learning rate 3.75e-4.
_base_ = ['vitl_k400_dino.py', '../_base_/strategies/fsdp.py']
