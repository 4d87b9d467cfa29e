"""Losses of alignment, a file per method."""
