"""The engines as choices in menus. Which of them are ready is said by the backend when it is connected."""

from __future__ import annotations

ENGINE_ITEMS = [
    ("auto", "Automatic", "The best engine that is ready; the depth file where one is chosen"),
    ("sharp", "SHARP", "Gaussians in metres from one photo. Its weights are for research only"),
    ("depth-map", "Depth File", "Exact where the depth file is: LiDAR phone, RGB-D camera, another network"),
    ("lite", "Lite", "Small network that comes with the backend; approximate metres"),
    ("midas-small", "MiDaS Small", "Relative depth, small and fast; needs a known length to become metric"),
    ("dpt-large", "DPT Large", "Relative depth, finer; needs a known length to become metric"),
]
"""Identifiers are the names on the wire."""

NOT_METRIC = frozenset({"midas-small", "dpt-large"})
"""Engines that give relative depth only."""

FETCHABLE = ("sharp", "midas-small", "dpt-large")
"""Engines whose weights are fetched after their licence was read."""
