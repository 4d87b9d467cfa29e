"""Reading and writing of files: videos, masks, tables, stored features."""
