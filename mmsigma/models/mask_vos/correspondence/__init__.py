"""Schemes that learn correspondence, a file per method."""
