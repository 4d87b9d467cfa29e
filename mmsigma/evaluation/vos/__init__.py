"""Evaluation of video object segmentation, human parts and key-points."""
