"""Helpers that are not part of a training step: files, checkpoints, configs, seeds."""
