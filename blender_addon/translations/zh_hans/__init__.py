"""Simplified Chinese: one table per concern, found by its file."""

from __future__ import annotations

import functools
import importlib
import pkgutil


@functools.cache
def words() -> dict[str, str]:
    """English → Chinese, all tables together."""
    found: dict[str, str] = {}
    for module in pkgutil.iter_modules(__path__):
        found |= importlib.import_module(f"{__name__}.{module.name}").WORDS
    return found
