"""Classification of videos."""
