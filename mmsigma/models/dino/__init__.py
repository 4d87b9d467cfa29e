"""DINO (ICCV 2021) on frames."""
