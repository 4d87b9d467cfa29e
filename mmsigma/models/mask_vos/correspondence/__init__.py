"""Correspondence schemes, one file per method."""
