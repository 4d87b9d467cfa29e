"""The generated data set of the demos."""
