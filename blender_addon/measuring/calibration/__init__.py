"""Known lengths, and what they say about the scale of a photo."""
