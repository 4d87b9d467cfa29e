"""Evaluation of classification: accuracy, probes and nearest neighbours."""
