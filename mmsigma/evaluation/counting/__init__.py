"""Evaluation of repetition counting."""
