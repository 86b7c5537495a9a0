"""The engines ``midas-small`` and ``dpt-large``: a photo becomes disparity, and by a stated assumption Gaussians."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from ...catalogue import ENGINES, EngineInfo
from ...core import Cancelled, ErrorCode, GaussianCloud, ImageTo3DError, Intrinsics, Provenance
from ...core.cloud.background_fill import fill_behind_edges
from ...core.cloud.lifting import MAX_GAUSSIANS, grid_size, lift
from ...core.depth.guided_upsampling import upsample_to_photo
from ...core.depth.relative_depth import AffineInverseDepth, affine_of, assume
from ...core.errors import Notice, is_out_of_memory
from ...io.photo import Photo
from .. import torch_runtime, weights
from ..base import EngineOptions, Prediction, Progress, no_progress
from .config import DPTConfig, SmallConfig
from .network_dpt import DPTNetwork
from .network_small import SmallNetwork, fold_normalisation
from .preprocessing import prepare
from .state_dict import load_network

_SHARE = {"load": (0.0, 0.05), "preprocess": (0.05, 0.1), "network": (0.1, 0.7), "postprocess": (0.7, 1.0)}
"""Where each stage lies on the whole way."""


class _MidasEngine:
    """A loaded network of this family. Made once, used for many photos.

    Args:
        options: see :class:`~image_to_3d.engines.base.EngineOptions`.

    Raises:
        ImageTo3DError: ``weights_missing`` if there is no checkpoint; ``bad_request`` for an unknown or absent device or precision.
    """

    info: EngineInfo
    build: ClassVar[Callable[[], SmallNetwork | DPTNetwork]]

    def __init__(self, options: EngineOptions | None = None) -> None:
        options = options or EngineOptions()
        self.device = torch_runtime.choose_device(options.device)
        self.precision = torch_runtime.choose_precision(options.precision, self.device)
        self._warnings: tuple[str, ...] = ()
        if self.device.type == "cpu" and self.precision == "fp16":
            self.precision = "fp32"  # emulated there: measured a hundred times slower
            self._warnings = (Notice("engines.no_fp16_on_cpu"),)
        self.checkpoint: Path = weights.require(self.info.name, options.checkpoint).path
        self._network: SmallNetwork | DPTNetwork | None = None

    def predict(
        self, photo: Photo, depth: NDArray[np.float32] | None = None, progress: Progress = no_progress
    ) -> Prediction:
        """Photo → Gaussians by :func:`lift_disparity`; ``depth`` is not used.

        Stages: ``load`` (first photo only), ``preprocess``, ``network``, ``postprocess``; the fraction is of the whole way.

        Raises:
            ImageTo3DError: ``weights_missing``, ``out_of_memory``, ``engine_failed``.
            Cancelled: from ``progress``.
        """
        seconds: dict[str, float] = {}
        warnings: list[str] = []
        disparity = self._disparity(photo, progress, seconds, warnings)
        progress("postprocess", _SHARE["postprocess"][0])
        start = time.perf_counter()
        details = {"device": self.device.type, "precision": self.precision}
        provenance = Provenance(self.info.name, False, photo.focal.source, photo.name, details)
        cloud = lift_disparity(photo.pixels, disparity, photo.intrinsics, provenance)
        seconds["postprocess"] = time.perf_counter() - start
        progress("postprocess", 1.0)
        affine = affine_of(cloud)
        assert affine is not None
        warnings = [Notice("engines.not_metric", assumption=affine.assumption), *self._warnings, *warnings]
        return Prediction(cloud, seconds, str(self.device), self.precision, tuple(warnings))

    def disparity(self, photo: Photo, progress: Progress = no_progress) -> NDArray[np.float32]:
        """Relative inverse depth (H, W) at the photo's size as the published programs give it: larger is nearer.

        Raises:
            ImageTo3DError, Cancelled: see :meth:`predict`.
        """
        coarse = torch.from_numpy(self._disparity(photo, progress, {}, []))[None, None]
        size = (photo.height, photo.width)
        fine = functional.interpolate(coarse, size, mode="bicubic", align_corners=False)[0, 0]
        progress("postprocess", 1.0)
        return fine.numpy()

    def unload(self) -> None:
        """Give back the memory of the weights; the next photo loads them again."""
        self._network = None
        torch_runtime.empty_cache(self.device)

    def load(self) -> SmallNetwork | DPTNetwork:
        """The network on the device; read from the checkpoint if it is not there yet.

        Raises:
            ImageTo3DError: ``weights_missing`` with what is wrong with the file.
        """
        if self._network is None:
            network = load_network(self.checkpoint, type(self).build)
            fold_normalisation(network)
            if self.device.type != "mps":
                torch_runtime.channels_last(network)
            network.to(self.device, torch_runtime.PRECISIONS[self.precision])
            if self.device.type == "cpu" and self.precision == "fp32":
                torch_runtime.use_onednn_linear(network)
            self._network = network
        return self._network

    def _disparity(
        self, photo: Photo, progress: Progress, seconds: dict[str, float], warnings: list[str]
    ) -> NDArray[np.float32]:
        """(h, w) at the network's own size; again in fp32 where half precision overflowed.

        Raises:
            ImageTo3DError: ``out_of_memory``, ``engine_failed``, or from loading.
        """
        try:
            disparity = self._run(photo, progress, seconds)
            if not np.isfinite(disparity).all() and self.precision != "fp32":
                warnings.append(Notice("engines.overflowed", precision=self.precision))
                self.unload()
                self.precision = "fp32"
                disparity = self._run(photo, progress, seconds)
        except (Cancelled, ImageTo3DError):
            raise
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            raise ImageTo3DError(ErrorCode.OUT_OF_MEMORY, "engines.no_memory", info_name=self.info.name) from error
        if not np.isfinite(disparity).all():
            raise ImageTo3DError(ErrorCode.ENGINE_FAILED, "engines.not_finite", info_name=self.info.name)
        return disparity

    def _run(self, photo: Photo, progress: Progress, seconds: dict[str, float]) -> NDArray[np.float32]:
        clock = time.perf_counter()

        def done(stage: str) -> None:
            nonlocal clock
            torch_runtime.synchronise(self.device)
            now = time.perf_counter()
            seconds[stage] = seconds.get(stage, 0.0) + now - clock
            clock = now

        with torch_runtime.inference(self.device):
            if self._network is None:
                progress("load", _SHARE["load"][0])
            network = self.load()
            done("load")
            progress("preprocess", _SHARE["preprocess"][0])
            image = torch.from_numpy(prepare(photo.pixels, network.config.preprocessing))
            image = image.to(self.device, torch_runtime.PRECISIONS[self.precision])
            done("preprocess")
            first, last = _SHARE["network"]
            disparity = network(image, lambda fraction: progress("network", first + (last - first) * fraction))
            disparity = disparity[0].float().cpu()
            done("network")
        return disparity.numpy()


class MidasSmallEngine(_MidasEngine):
    """MiDaS v2.1 small."""

    info = ENGINES["midas-small"]
    build = staticmethod(lambda: SmallNetwork(SmallConfig()))


class DPTLargeEngine(_MidasEngine):
    """DPT-Large."""

    info = ENGINES["dpt-large"]
    build = staticmethod(lambda: DPTNetwork(DPTConfig()))


def lift_disparity(
    pixels: NDArray[np.uint8],
    disparity: NDArray[np.floating],
    intrinsics: Intrinsics,
    provenance: Provenance,
    affine: AffineInverseDepth | None = None,
) -> GaussianCloud:
    """Photo and disparity → two layers of Gaussians.

    The disparity is brought to the photo's grid with sharp edges, becomes depth by 1/z = a d + b, every cell is lifted, and what
    lies just behind depth edges is filled. a, b and what they rest on are recorded in ``provenance.details["inverse_depth"]``, from
    which known lengths can solve them anew (:func:`~image_to_3d.core.depth.relative_depth.change_inverse_depth`).

    Args:
        pixels: (H, W, 3) uint8 sRGB.
        disparity: (h, w) finite, larger is nearer, of the same view; any size, any unit.
        intrinsics: of the photo.
        provenance: recorded in the cloud, with additions.
        affine: how disparity becomes depth; by default :func:`~image_to_3d.core.depth.relative_depth.assume` tells.
    """
    height, width = pixels.shape[:2]
    rows, cols = grid_size(width, height, MAX_GAUSSIANS)
    fine = upsample_to_photo(disparity, pixels, rows, cols)
    affine = affine or assume(fine, intrinsics)
    details = {**provenance.details, "inverse_depth": affine.to_details()}
    provenance = Provenance(provenance.engine, provenance.metric, provenance.focal_source, provenance.photo, details)
    return fill_behind_edges(lift(pixels, affine.depth(fine), intrinsics, MAX_GAUSSIANS, provenance))
