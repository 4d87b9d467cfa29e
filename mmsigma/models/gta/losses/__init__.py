"""Losses between videos for alignment, one file per method."""
