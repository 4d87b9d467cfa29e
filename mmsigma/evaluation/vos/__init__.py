"""Video object segmentation, parts and key points."""
