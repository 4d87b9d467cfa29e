"""Measures of aligned embeddings."""
