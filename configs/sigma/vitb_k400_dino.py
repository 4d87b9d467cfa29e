# SIGMA-DINO, ViT-B, Kinetics-400, 800 epochs. 16 GPUs x 40 clips = 640 clips per step, learning rate 3.75e-4. The
# release runs 801 epochs, so that epoch 800 is saved. The batch size of its single-node script is a placeholder:
# --cfg-options batch_size=2 global_batch=16
_base_ = ['../_base_/datasets/k400_pretrain.py', '../_base_/methods/sigma.py']
