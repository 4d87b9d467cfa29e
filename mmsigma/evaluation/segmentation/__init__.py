"""Unsupervised segmentation."""
