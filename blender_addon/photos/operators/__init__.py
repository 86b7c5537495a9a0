"""Buttons that make photos, and keep their queue."""
