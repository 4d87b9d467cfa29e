"""Evaluation of frame embeddings for temporal alignment."""
