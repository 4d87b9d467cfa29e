"""Evaluation of unsupervised segmentation."""
