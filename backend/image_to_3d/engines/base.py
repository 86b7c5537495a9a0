"""What every engine takes and gives.

An engine turns one photo into a :class:`~image_to_3d.core.GaussianCloud` and reports what it does on the way. It knows no
sockets and no files but its own weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ..catalogue import EngineInfo
from ..core import GaussianCloud
from ..io.photo import Photo

Progress = Callable[[str, float], None]
"""``progress(stage, fraction)``: called with 0 ≤ fraction ≤ 1 as work is really done; may raise
:class:`~image_to_3d.core.Cancelled`, which an engine lets pass."""


def no_progress(stage: str, fraction: float) -> None:
    """Ignore progress."""


@dataclass(frozen=True)
class EngineOptions:
    """How to build an engine.

    Attributes:
        device: ``auto``, ``cuda``, ``mps`` or ``cpu``.
        precision: ``auto``, ``fp32``, ``bf16`` or ``fp16``.
        checkpoint: path of a weights file, or None to look in the usual places.
        preferred: the engine that ``auto`` stands for with a bare photo; ``auto`` leaves the choice to the registry.
        checkpoint_of: the engine, or ``auto``, beside which the checkpoint was named: of engines that are chosen later it is only
            for the one that :func:`~image_to_3d.catalogue.owner_of_checkpoint` says.
    """

    device: str = "auto"
    precision: str = "auto"
    checkpoint: str | None = None
    preferred: str = "auto"
    checkpoint_of: str = "auto"


@dataclass(frozen=True, eq=False)
class Prediction:
    """What an engine answers.

    Attributes:
        cloud: Gaussians in the OpenCV camera frame, metres if the engine is metric.
        seconds: wall time per stage (``preprocess``, ``network``, ``postprocess``).
        device, precision: what it really ran on.
        warnings: sentences for a person.
    """

    cloud: GaussianCloud
    seconds: dict[str, float] = field(default_factory=dict)
    device: str = "cpu"
    precision: str = "fp32"
    warnings: tuple[str, ...] = ()


class Engine(Protocol):
    """A loaded engine. Made once, used for many photos."""

    info: EngineInfo

    def predict(
        self, photo: Photo, depth: NDArray[np.float32] | None = None, progress: Progress = no_progress
    ) -> Prediction:
        """Photo (and, where ``info.needs_depth``, planar depth (H, W) in metres with NaN = unknown) → Gaussians."""
        ...

    def unload(self) -> None:
        """Give back the memory of the weights; a later :meth:`predict` loads them again."""
        ...


@runtime_checkable
class DisparityEngine(Engine, Protocol):
    """An engine whose first answer is relative inverse depth."""

    def disparity(self, photo: Photo, progress: Progress = no_progress) -> NDArray[np.float32]:
        """Photo → (H, W) at the photo's size, larger is nearer, scale and shift unknown."""
        ...
