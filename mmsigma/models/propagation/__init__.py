"""Propagation of labels through videos."""
