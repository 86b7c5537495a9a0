"""Lengths with their intervals: measuring, calibrating, and measuring again."""
