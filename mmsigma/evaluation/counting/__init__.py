"""Errors of repetition counts."""
