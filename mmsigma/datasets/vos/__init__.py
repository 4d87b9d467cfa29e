"""Frame sequences with masks or key-points."""
