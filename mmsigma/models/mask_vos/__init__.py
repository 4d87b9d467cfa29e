"""Self-supervised video object segmentation: Mask-VOS (CVPR 2023)."""
