"""Classification of videos: fine-tuning, linear and attentive probing."""
