"""Renderers: Gaussians seen from a camera."""
