"""The synthetic dataset of the demos."""
