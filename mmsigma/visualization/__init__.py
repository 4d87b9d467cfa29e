"""Visualisation of what models see and predict."""
