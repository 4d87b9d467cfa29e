"""Helpers without a place in a training step."""
