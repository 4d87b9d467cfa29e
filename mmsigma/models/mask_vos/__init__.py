"""Mask-VOS (CVPR 2023)."""
