"""Depth maps: resizing, relative depth made metric, and pictures of them."""
