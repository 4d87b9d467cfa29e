"""Accuracy, probes and nearest neighbours."""
