"""Videos of lists and folders."""
