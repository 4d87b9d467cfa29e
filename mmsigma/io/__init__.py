"""Files: videos, masks, tables, stored features."""
