"""Renderers: Gaussians seen from a camera.

:func:`choose_renderer` gives the fastest one that works here; all of them draw the same picture.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Literal

from ..core.errors import ErrorCode, ImageTo3DError
from .base import Frame, Instance, Renderer, RenderSettings

__all__ = ["RENDERERS", "Frame", "Instance", "RenderSettings", "Renderer", "RendererName", "choose_renderer"]

log = logging.getLogger(__name__)

RendererName = Literal["auto", "gsplat", "cpu"]
RENDERERS: tuple[RendererName, ...] = ("auto", "gsplat", "cpu")


def choose_renderer(name: RendererName = "auto", say: Callable[[str], None] = log.warning) -> tuple[Renderer, str]:
    """A renderer, and one sentence on which one it is and why.

    Args:
        name: ``gsplat`` on an NVIDIA GPU, ``cpu``, or ``auto``: gsplat if it works, else the CPU.
        say: told in one sentence when something is being compiled, which happens the first time only.

    Raises:
        ImageTo3DError: ``engine_failed`` if gsplat was asked for and cannot be used, ``bad_request`` for an unknown name.
    """
    if name not in RENDERERS:
        raise ImageTo3DError(
            ErrorCode.BAD_REQUEST, "rendering.unknown_renderer", name=name, renderers=", ".join(RENDERERS)
        )
    why = ""
    if name != "cpu":
        from .gsplat_renderer import GsplatRenderer, probe

        why = probe() or ""
        if not why:
            try:
                return GsplatRenderer(say=say), "Rendering with gsplat on the GPU."
            except ImageTo3DError as error:
                why = error.message
        if name == "gsplat":
            raise ImageTo3DError(ErrorCode.ENGINE_FAILED, "rendering.gsplat_unavailable", why=why.rstrip("."))
    from .cpu import CpuRenderer

    return CpuRenderer(say), f"Rendering on the CPU. {why}".strip()
