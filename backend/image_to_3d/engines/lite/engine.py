"""The engine `lite`: photo → depth map → one Gaussian per pixel. Runs anywhere, in about a second."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ...catalogue import ENGINES
from ...core import ErrorCode, ImageTo3DError, Provenance
from ...core.cloud.lifting import lift
from ...core.errors import Notice
from ...core.lengths.error_field import DepthErrorModel, ErrorField, ErrorMap
from ...io.photo import Photo
from .. import torch_runtime
from ..base import EngineOptions, Prediction, Progress, no_progress
from .depth import estimate_depth
from .network import LiteNetwork
from .weights import load_network

ERROR_MODEL = DepthErrorModel(**json.loads(Path(__file__).with_name("error_model.json").read_text()))
"""Measured by ``scripts/measure_engine.py lite`` on rooms that the network has not seen."""


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """The network is so small that threads wait for each other longer than they work: on two busy cores 25 times as long."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class LiteEngine:
    """Depth by the packaged network, lifted.

    Args:
        options: the device. The network is so small that it always runs in float32, and a checkpoint counts only if it is an
            ``.npz``, as the weights of this engine are: a backend is started with one checkpoint for all its engines.

    Raises:
        ImageTo3DError: ``bad_request`` for an unknown or absent device. The weights are read at first use.
    """

    info = ENGINES["lite"]

    def __init__(self, options: EngineOptions | None = None) -> None:
        options = options or EngineOptions()
        self.device = torch_runtime.choose_device(options.device)
        given = options.checkpoint
        self.checkpoint = given if given and given.endswith(".npz") else None
        self._network: LiteNetwork | None = None

    def predict(
        self, photo: Photo, depth: NDArray[np.float32] | None = None, progress: Progress = no_progress
    ) -> Prediction:
        """See :class:`~image_to_3d.engines.base.Engine`; ``depth`` is not used. Sky becomes no Gaussians.

        Raises:
            ImageTo3DError: ``weights_missing``, ``engine_failed`` (damaged weights, or nothing but sky in the photo).
            Cancelled: from ``progress``.
        """
        progress("network", 0.0)
        start = time.perf_counter()
        with torch_runtime.inference(self.device), _one_thread():
            estimate = estimate_depth(self.load(), photo.pixels, photo.intrinsics)
        middle = time.perf_counter()
        progress("lift", 0.4)
        if not np.isfinite(estimate.depth).any():
            raise ImageTo3DError(ErrorCode.ENGINE_FAILED, "engines.nothing_but_sky")
        error = ErrorField(
            ERROR_MODEL,
            photo.intrinsics,
            float(np.nanmedian(estimate.depth)),
            ErrorMap.of(np.where(np.isfinite(estimate.depth), estimate.relative_error, np.nan)),
        )
        provenance = Provenance(
            self.info.name, True, photo.focal.source, photo.name, details={"depth_error": error.to_plain()}
        )
        cloud = replace(lift(photo.pixels, estimate.depth, photo.intrinsics), provenance=provenance)
        stop = time.perf_counter()
        progress("lift", 1.0)
        seconds = {"network": middle - start, "postprocess": stop - middle}
        return Prediction(cloud, seconds, str(self.device), "fp32", (Notice("engines.approximate_scale"),))

    def load(self) -> LiteNetwork:
        """The network on the device; read if it is not there yet.

        Raises:
            ImageTo3DError: ``weights_missing``, ``engine_failed``.
        """
        if self._network is None:
            self._network = load_network(self.checkpoint).to(self.device)
        return self._network

    def unload(self) -> None:
        """Give back the memory of the weights; the next :meth:`predict` loads them again."""
        self._network = None
        torch_runtime.empty_cache(self.device)
