"""Unsupervised segmentation by clustering of features."""
