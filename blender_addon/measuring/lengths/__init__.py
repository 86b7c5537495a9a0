"""Lengths: dimensions, the laser, and Blender's rulers."""
