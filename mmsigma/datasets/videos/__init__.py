"""Videos from lists and folders, and their samplers."""
