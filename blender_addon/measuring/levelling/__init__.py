"""Standing a photo on its floor."""
