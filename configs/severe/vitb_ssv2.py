# SEVERE, domain shift: Something-Something V2, ViT-B, all of its training set, top-1 accuracy; the same run as
# ../finetune/vitb_ssv2_paper.py: 50 epochs, 32 clips per step (8 GPUs x 4), learning rate 1.25e-4, 2 x 3 views.
_base_ = ['../finetune/vitb_ssv2_paper.py']
