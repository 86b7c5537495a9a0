"""The picture on any processor: numba, all cores.

How it is fast. Rows keep the order of the cloud, which for a photo is the order of its picture grid, so that neighbours in
memory are neighbours on the screen and every pass reads memory forwards. Gaussians are projected (in float64, which is cheap, and
saves the digits that thin needles lose) and listed in the 16-pixel tiles they touch; each tile then sorts its own short list by the
bits of camera z, exactly and stably, and blends it in vector registers, eight pixels at a time, until all its pixels are finished.
"""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from ..core import Camera, GaussianCloud, Intrinsics
from .base import (
    DEFAULT_SETTINGS,
    TILE,
    Frame,
    Instance,
    RenderSettings,
    Splats,
    make_frame,
)
from .cpu_kernels import RECORD, draw, list_tiles, project
from .detail import coarser

log = logging.getLogger(__name__)

_MAX_PAIRS = 1 << 26  # Gaussian-tile pairs held at once (a quarter of a gigabyte); more are drawn in bands of tile rows
_CHUNKS = 32  # units of work that projecting is divided into, or one for each thread if there are more
_NOTICE_AFTER_S = 2.0  # loading what was compiled before takes a third of a second


_lock = threading.Lock()
"""One picture at a time: every one uses all cores, and numba's simplest thread pool must not be entered twice."""


class _Scratch:
    """Projected Gaussians of the last picture, kept for the next: fresh memory costs more than filling it."""

    def __init__(self) -> None:
        self._records = np.empty((0, RECORD), np.float32)
        self._boxes = np.empty((0, 4), np.int32)

    def of_size(self, n: int) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Uninitialised records (n, 10) and boxes (n, 4)."""
        if not n <= len(self._records) <= 4 * n:
            self._records, self._boxes = np.empty((n, RECORD), np.float32), np.empty((n, 4), np.int32)
        return self._records[:n], self._boxes[:n]


class CpuRenderer:
    """Renders on all cores.

    Args:
        say: told in one sentence when the renderer is being compiled, which happens the first time only.
    """

    name = "cpu"

    def __init__(self, say: Callable[[str], None] = log.warning) -> None:
        self._say = say
        self._ready = False
        self._scratch = _Scratch()
        self._coarse: weakref.WeakKeyDictionary[Any, dict[int, Splats]] = weakref.WeakKeyDictionary()
        self.seconds: dict[str, float] = {}
        """Wall time of the last picture's stages: ``project``, ``list``, ``draw``."""

    def render(
        self, instances: Sequence[Instance], camera: Camera, settings: RenderSettings = DEFAULT_SETTINGS
    ) -> Frame:
        """One picture of all instances together."""
        if settings.detail > 1:
            instances = [Instance(self._coarser(i.cloud, settings.detail), i.object_to_world) for i in instances]
        with _lock:
            if not self._ready:
                self._compile()
            (colour, alpha, depth, surface), self.seconds = _render(
                instances, camera, settings.eps2d, self._scratch, "surface" in settings.passes
            )
        return make_frame(colour, alpha, depth, surface, settings)

    def _coarser(self, cloud: Splats, factor: int) -> Splats:
        levels = self._coarse.setdefault(cloud, {})
        level = levels.get(factor)
        if level is None:
            level = coarser(cloud, factor)
            if level is not cloud:  # an entry that held its own key would never go
                levels[factor] = level
        return level

    def _compile(self) -> None:
        """Compile, or load what was compiled before, and say so if it takes long enough to be noticed."""
        sentence = "Compiling the CPU renderer; this takes some seconds and happens only once."
        notice = threading.Timer(_NOTICE_AFTER_S, self._say, [sentence])
        notice.daemon = True
        notice.start()
        try:
            camera = Camera.at_origin(Intrinsics.centred(8.0, 8, 8))
            _render([Instance(_one_gaussian())], camera, 0.0, self._scratch)
        finally:
            notice.cancel()
        self._ready = True


def _one_gaussian() -> GaussianCloud:
    """The smallest scene that every kernel runs on."""
    one = np.ones((1, 3), np.float32)
    rotation = np.array([[1, 0, 0, 0]], np.float32)
    return GaussianCloud(one, one, rotation, one, np.ones(1, np.float32))


def _render(
    instances: Sequence[Instance], camera: Camera, eps2d: float, scratch: _Scratch, layers: bool = False
) -> tuple[tuple[NDArray[np.float32], ...], dict[str, float]]:
    """Premultiplied colour (H, W, 3), alpha (H, W), Σ w·z (H, W) of all instances and, with ``layers``, the surface's depth
    (H, W), else (0, 0); and seconds per stage."""
    started = time.perf_counter()
    k = camera.intrinsics
    tiles_x, tiles_y = -(-k.width // TILE), -(-k.height // TILE)
    threads = numba.get_num_threads()
    lens = np.array(
        [k.fx, k.fy, k.cx, k.cy, k.width, k.height, np.float32(camera.near), np.float32(camera.far)], np.float64
    )
    sizes = [len(instance.cloud.positions) for instance in instances]
    firsts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    records, boxes = scratch.of_size(int(firsts[-1]))
    units = max(threads, _CHUNKS)
    chunks = [np.linspace(0, size, units + 1).astype(np.int64) for size in sizes]
    counts = np.zeros((len(instances), units, tiles_x * tiles_y), np.int32)
    for instance, first, bounds, count in zip(instances, firsts, chunks, counts, strict=False):
        cloud, camera_from_object = instance.cloud, camera.world_to_camera @ instance.object_to_world
        project(
            *map(_frozen, (cloud.positions, cloud.rotations, cloud.scales, cloud.opacities, cloud.colours)),
            np.ascontiguousarray(camera_from_object[:3, :3]), np.ascontiguousarray(camera_from_object[:3, 3]),
            lens, camera.orthographic, float(eps2d), tiles_x, tiles_y, int(first), bounds, records, boxes, count,
        )  # fmt: skip
    projected = time.perf_counter()

    colour = np.zeros((k.height, k.width, 3), np.float32)
    alpha, depth = np.zeros((k.height, k.width), np.float32), np.zeros((k.height, k.width), np.float32)
    surface = np.full((k.height, k.width) if layers else (0, 0), np.inf, np.float32)
    seconds = {"project": projected - started, "list": 0.0, "draw": 0.0}
    pairs = counts.reshape(-1, tiles_x * tiles_y).astype(np.int64)
    starts = np.concatenate([[0], np.cumsum(pairs.sum(0))])
    before = np.cumsum(pairs, axis=0) - pairs  # pairs of earlier chunks in the same tile
    bounds = np.concatenate([[0], *(first + b[1:] for first, b in zip(firsts, chunks, strict=False))]).astype(np.int64)
    for first_row, last_row in _bands(starts[::tiles_x]):
        clock = time.perf_counter()
        base = starts[first_row * tiles_x]
        rows = np.empty(starts[last_row * tiles_x] - base, np.int32)
        list_tiles(boxes, bounds, starts[:-1] + before - base, tiles_x, first_row, last_row, rows)
        listed = time.perf_counter()
        draw(records, rows, starts - base, tiles_x, first_row, last_row, threads, colour, alpha, depth, surface)
        seconds["list"] += listed - clock
        seconds["draw"] += time.perf_counter() - listed
    return (colour, alpha, depth, surface), seconds


def _frozen(array: NDArray[Any]) -> NDArray[np.float32]:
    """A read-only view, float32 and in C order: one type of argument, whatever the cloud was made from, is compiled once."""
    view = np.ascontiguousarray(array, np.float32).view()
    view.setflags(write=False)
    return view


def _bands(row_starts: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Tile rows (first, last) of bands that hold at most ``_MAX_PAIRS`` pairs each, or one tile row.

    Args:
        row_starts: (tile rows + 1,) pairs before each tile row.
    """
    bands, first = [], 0
    for row in range(1, len(row_starts)):
        if row == len(row_starts) - 1 or row_starts[row + 1] - row_starts[first] > _MAX_PAIRS:
            bands.append((first, row))
            first = row
    return bands
