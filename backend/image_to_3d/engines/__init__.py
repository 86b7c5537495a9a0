"""Engines: a photo becomes a :class:`~image_to_3d.core.GaussianCloud`."""
