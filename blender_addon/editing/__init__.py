"""Editing what came of a photo: crop, select and remove points, floaters, far things and sky. Nothing is lost.

``scene/edits`` marks the points; here are the buttons and what is stored in the file.
"""
