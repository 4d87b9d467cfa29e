"""Checkpoints: reading, matching to a model, and conversion of parameter names."""
