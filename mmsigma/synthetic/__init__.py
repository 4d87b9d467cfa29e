"""The synthetic dataset of the demos, which is rendered without PyTorch."""
