"""The render worker: a process beside the inference worker, so that previews flow while a photo is being worked on.

This module is light, because the frontend imports it; what draws is loaded inside the process.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from .runtime import run_worker

if TYPE_CHECKING:
    from ...render import Renderer

log = logging.getLogger(__name__)

MakeRenderer = Callable[[], "tuple[Renderer, str]"]
"""Gives a renderer and one sentence on why this one."""


def default_renderer() -> tuple[Renderer, str]:
    """The fastest renderer that works here."""
    from ...render import choose_renderer

    return choose_renderer("auto", log.warning)


def worker_main(pipe: Connection, folder: str, make_renderer: MakeRenderer) -> None:
    """Entry point of the process; returns when the frontend says so or is gone."""
    from .render_worker import work

    run_worker(pipe, folder, lambda channel: work(channel, make_renderer))
