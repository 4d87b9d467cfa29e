"""Video alignment: GTA (CVPR 2021) and its baselines."""
