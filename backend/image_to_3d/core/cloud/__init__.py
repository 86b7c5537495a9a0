"""Clouds of Gaussians: made, filtered, selected, filled behind edges."""
