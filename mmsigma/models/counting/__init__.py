"""Counting of repetitions."""
