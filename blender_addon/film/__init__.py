"""Filming a photo: camera moves, how far they may go, and cameras in and out as camera paths."""
