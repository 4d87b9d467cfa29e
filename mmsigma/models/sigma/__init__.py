"""SIGMA (ECCV 2024) and VideoMAE (NeurIPS 2022)."""
