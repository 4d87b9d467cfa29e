"""Videos of actions with phases, and the data sets that the alignment methods use."""
