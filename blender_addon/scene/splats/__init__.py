"""Splats as Blender draws them: natively from 5.3 on, as ellipsoids before."""
