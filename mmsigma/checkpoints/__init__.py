"""Checkpoint files: reading, fitting to a model, and parameter names of other code bases."""
