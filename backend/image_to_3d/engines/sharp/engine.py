"""The SHARP engine: a photo in, 1.2 million Gaussians in metres out; loaded once, warm between photos."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ...catalogue import ENGINES
from ...core import Cancelled, ErrorCode, GaussianCloud, Grid, ImageTo3DError, Provenance
from ...core.errors import Notice, is_out_of_memory
from ...io.photo import Photo
from .. import torch_runtime, weights
from ..base import EngineOptions, Prediction, Progress, no_progress
from .config import NUM_LAYERS, SharpConfig
from .network import NetworkOutput, SharpNetwork
from .state_dict import PUBLISHED, load_network
from .unprojection import MetricGaussians, unproject

log = logging.getLogger(__name__)

T = TypeVar("T")

_SHARE = {
    "load": (0.0, 0.01),
    "preprocess": (0.01, 0.02),
    "encoder": (0.02, 0.72),
    "depth": (0.72, 0.88),
    "gaussians": (0.88, 0.98),
    "postprocess": (0.98, 1.0),
}
"""Where each stage lies on the whole way, by its share of the arithmetic."""

_CPU_CHUNK = 5
"""Crops at a time on a CPU: more are no faster, and a cancelled job should not go on for long."""


@dataclass(frozen=True)
class _Attempt:
    precision: str
    chunk: int


class SharpEngine:
    """Photo → :class:`~image_to_3d.core.GaussianCloud` by a SHARP checkpoint, whose tensors say how large the network is.

    Args:
        options: device, precision, and the checkpoint if it is not in one of the usual places.

    Raises:
        ImageTo3DError: ``bad_request`` for an unknown or absent device or precision; ``weights_missing``,
            ``licence_not_accepted``. The checkpoint is read at first use.
    """

    info = ENGINES["sharp"]

    def __init__(self, options: EngineOptions) -> None:
        self.device = torch_runtime.choose_device(options.device)
        self.precision = torch_runtime.choose_precision(options.precision, self.device)
        self.checkpoint = weights.require(self.info.name, options.checkpoint).path
        self._network: SharpNetwork | None = None

    def predict(
        self, photo: Photo, depth: NDArray[np.float32] | None = None, progress: Progress = no_progress
    ) -> Prediction:
        """Photo → Gaussians in metres; ``depth`` is not used.

        Stages: ``load`` (first photo only), ``preprocess``, ``encoder``, ``depth``, ``gaussians``, ``postprocess``; the fraction
        is of the whole way. ``progress`` is called after each chunk of crops and each level of a decoder.

        Raises:
            ImageTo3DError: ``weights_missing``, ``out_of_memory``, ``engine_failed``.
            Cancelled: from ``progress``.
        """
        seconds: dict[str, float] = {}
        warnings: list[str] = []

        def report(stage: str, fraction: float) -> None:
            start, stop = _SHARE[stage]
            progress(stage, start + (stop - start) * fraction)

        def timed(name: str, step: Callable[[], T]) -> T:
            began = time.perf_counter()
            result = step()
            torch_runtime.synchronise(self.device)
            seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - began
            return result

        with torch_runtime.inference(self.device):
            if self._network is None:
                report("load", 0.0)
                timed("load", self.load)
            config = self.load().config
            if config == PUBLISHED and weights.needs_consent(weights.lookup(self.info.name)):
                warnings.append(Notice("engines.research_only"))
            report("preprocess", 0.0)
            image = timed("preprocess", lambda: self._preprocess(photo, config.resolution))
            output = timed("network", lambda: self._run(image, photo, report, warnings))
            report("postprocess", 0.0)
            cloud = timed("postprocess", lambda: self._cloud(output, photo, config))
        report("postprocess", 1.0)
        return Prediction(cloud, seconds, str(self.device), self.precision, tuple(warnings))

    def load(self) -> SharpNetwork:
        """The network on the device; read from the checkpoint if it is not there yet.

        Raises:
            ImageTo3DError: ``weights_missing`` with what is wrong with the file; ``out_of_memory``.
        """
        if self._network is None:
            network = load_network(self.checkpoint)
            if self.precision != "fp32":
                network.set_precision(torch_runtime.PRECISIONS[self.precision])
            try:
                if self.device.type != "mps":
                    torch_runtime.channels_last(network)
                network.to(self.device)
            except Exception as error:
                if is_out_of_memory(error):
                    raise self._out_of_memory() from error
                raise
            if self.device.type == "cpu" and self.precision == "fp32":
                torch_runtime.use_onednn_linear(network)
            self._network = network
        return self._network

    def unload(self) -> None:
        """Give back the memory of the weights; the next :meth:`predict` loads them again."""
        self._network = None
        torch_runtime.empty_cache(self.device)

    def _preprocess(self, photo: Photo, resolution: int) -> Tensor:
        """(1, 3, S, S) float32 in [0, 1]: stretched to a square, bilinear between the corner pixels' centres."""
        pixels = torch.tensor(photo.pixels).to(self.device)
        image = (
            pixels.permute(2, 0, 1).unsqueeze(0).to(torch.float32, memory_format=torch.contiguous_format).div_(255.0)
        )
        return functional.interpolate(image, size=(resolution, resolution), mode="bilinear", align_corners=True)

    def _run(
        self, image: Tensor, photo: Photo, report: Callable[[str, float], None], warnings: list[str]
    ) -> NetworkOutput:
        """The network, with less memory or more precision where the first attempt fails for want of it."""
        self._check_memory()
        attempts = self._attempts()
        while attempts:
            attempt = attempts.pop(0)
            if attempt.precision != self.precision:
                self._change_precision(attempt.precision)
                warnings.append(Notice("engines.lower_precision", precision=attempt.precision))
            output = self._try(attempt, image, photo, report)
            if output is None:
                continue
            if _all_finite(output):
                return output
            if self.precision == "fp32":
                raise ImageTo3DError(ErrorCode.ENGINE_FAILED, "engines.sharp_not_finite")
            warnings.append(Notice("engines.overflowed", precision=self.precision))
            self._change_precision("fp32")
            attempts = self._attempts()
        raise self._out_of_memory()

    def _try(
        self, attempt: _Attempt, image: Tensor, photo: Photo, report: Callable[[str, float], None]
    ) -> NetworkOutput | None:
        """One run of the network; None if memory ran out."""
        try:
            return self.load()(image, photo.focal.px / photo.width, attempt.chunk, report)
        except Cancelled:
            raise
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            log.info("out of memory with %s", attempt)
        torch_runtime.empty_cache(self.device)  # outside the handler: the exception's frames hold tensors
        return None

    def _attempts(self) -> list[_Attempt]:
        chunk = self._chunk()
        attempts = [_Attempt(self.precision, chunk)]
        if chunk > 1:
            attempts.append(_Attempt(self.precision, max(1, chunk // 4)))
        if self.precision == "fp32" and self.device.type != "cpu":
            attempts.append(_Attempt("fp16", 1))
        return attempts

    def _chunk(self) -> int:
        """Crops that go through the ViT at a time: what fits into a quarter of the free memory."""
        vit = self.load().config.vit
        itemsize = torch_runtime.PRECISIONS[self.precision].itemsize
        per_crop = (vit.grid**2 + 1) * (2 * vit.mlp_width + 7 * vit.width) * itemsize
        fitting = torch_runtime.free_memory(self.device) // 4 // per_crop
        return int(min(max(fitting, 1), _CPU_CHUNK if self.device.type == "cpu" else 35))

    def _check_memory(self) -> None:
        """Refuse before the system's out-of-memory killer ends the whole process; other devices raise by themselves."""
        if self.device.type != "cpu":
            return
        config = self.load().config
        finest_maps = 5 * max(config.monodepth_dims[0], config.encoder_dims[0]) * config.grid_size**2
        if torch_runtime.free_memory(self.device) < finest_maps * torch_runtime.PRECISIONS[self.precision].itemsize:
            raise self._out_of_memory()

    def _change_precision(self, precision: str) -> None:
        self.unload()
        self.precision = precision
        self.load()

    def _out_of_memory(self) -> ImageTo3DError:
        if self.device.type == "cpu":
            return ImageTo3DError(ErrorCode.OUT_OF_MEMORY, "engines.sharp_no_memory")
        return ImageTo3DError(ErrorCode.OUT_OF_MEMORY, "engines.sharp_no_gpu_memory")

    def _cloud(self, output: NetworkOutput, photo: Photo, config: SharpConfig) -> GaussianCloud:
        metric: MetricGaussians = unproject(output.gaussians, photo.intrinsics)
        size = config.grid_size

        def array(tensor: Tensor) -> NDArray[np.float32]:
            return tensor.contiguous().cpu().numpy()

        return GaussianCloud(
            positions=array(metric.positions),
            scales=array(metric.scales),
            rotations=array(metric.rotations),
            colours=array(output.gaussians.colours.T),
            opacities=array(output.gaussians.opacities),
            intrinsics=photo.intrinsics,
            grid=Grid(NUM_LAYERS, size, size),
            provenance=Provenance(
                engine=self.info.name,
                metric=self.info.metric,
                focal_source=photo.focal.source,
                photo=photo.name,
                details={"precision": self.precision, "device": self.device.type},
            ),
        )


def _all_finite(output: NetworkOutput) -> bool:
    """Overflow shows in the disparity or in the refinements; a sum is infinite or NaN if any term is."""
    return all(bool(torch.isfinite(t.sum(dtype=torch.float32))) for t in (output.disparity, output.delta))
