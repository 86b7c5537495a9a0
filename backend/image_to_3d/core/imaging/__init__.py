"""Pixels: colour, what the head of a photo's file says, and pictures on the wire."""
