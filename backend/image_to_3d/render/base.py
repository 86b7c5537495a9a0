"""What every renderer takes and gives.

The picture is defined by gsplat 1.5.3 (Ye et al., "gsplat: An Open-Source Library for Gaussian Splatting", 2024): EWA projection
(Zwicky et al., 2001), front-to-back blending in order of camera z, low-pass without opacity compensation. ``docs/rendering.md``
says it in a minute, :mod:`.reference` in readable numpy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ..core.cameras.camera import Camera

MIN_ALPHA = 1.0 / 255.0
"""A Gaussian is skipped on a pixel where it is more transparent than this."""

MAX_ALPHA = 0.999
"""No Gaussian covers a pixel more than this."""

MIN_TRANSMITTANCE = 1e-4
"""A pixel is finished before the Gaussian that would leave no more than this of it uncovered; that one is not drawn."""

TILE = 16
"""Side of the square tiles that work is divided into, pixels."""

LAYER_THICKNESS = 0.02
"""How much farther, as a share of its depth, a Gaussian may be to belong to the same surface as the one before it."""

Pass = Literal["colour", "depth", "surface"]


class Splats(Protocol):
    """The arrays a renderer reads; :class:`~image_to_3d.core.GaussianCloud` is one.

    Rows that are not finite are not drawn; quaternions are normalised by the renderer.
    """

    @property
    def positions(self) -> NDArray[np.float32]:
        """(N, 3) centres, metres."""
        ...

    @property
    def rotations(self) -> NDArray[np.float32]:
        """(N, 4) quaternions (w, x, y, z)."""
        ...

    @property
    def scales(self) -> NDArray[np.float32]:
        """(N, 3) standard deviations, metres."""
        ...

    @property
    def opacities(self) -> NDArray[np.float32]:
        """(N,) in [0, 1]."""
        ...

    @property
    def colours(self) -> NDArray[np.float32]:
        """(N, 3) linear RGB."""
        ...


@dataclass(frozen=True, eq=False)
class Instance:
    """A cloud placed in the world.

    Attributes:
        cloud: the Gaussians, in their own (object) frame.
        object_to_world: (4, 4) affine; what levelling and calibration put on a cloud is a rotation, a shift and one scale.

    Raises:
        ValueError: the matrix is not finite, not affine, or flattens space.
    """

    cloud: Splats
    object_to_world: NDArray[np.float64] = field(default_factory=lambda: np.eye(4))

    def __post_init__(self) -> None:
        matrix = np.asarray(self.object_to_world, np.float64)
        if matrix.shape != (4, 4) or not np.isfinite(matrix).all() or (matrix[3] != [0, 0, 0, 1]).any():
            raise ValueError("object_to_world is a finite affine 4×4 matrix")
        if np.linalg.det(matrix[:3, :3]) == 0:
            raise ValueError("object_to_world flattens space")
        object.__setattr__(self, "object_to_world", matrix)


@dataclass(frozen=True)
class RenderSettings:
    """How a picture is made.

    Attributes:
        background: linear RGB behind the scene; None leaves it transparent (premultiplied, black behind).
        eps2d: pixels², added to the diagonal of every projected covariance: 0 as SHARP renders, 0.3 as gsplat does by default.
        passes: what is wanted; without ``depth`` the frame has none. ``surface`` is a wish: not every renderer has it.
        detail: 1 draws every Gaussian. A renderer that is too slow to follow a moving camera may, at n > 1, draw one wider
            Gaussian for each n × n cells of a cloud's picture grid.
    """

    background: tuple[float, float, float] | None = None
    eps2d: float = 0.0
    passes: tuple[Pass, ...] = ("colour", "depth")
    detail: int = 1

    def __post_init__(self) -> None:
        if not (np.isfinite(self.eps2d) and self.eps2d >= 0):
            raise ValueError(f"eps2d must not be negative, not {self.eps2d}")
        if self.detail < 1:
            raise ValueError(f"detail counts grid cells from 1, not {self.detail}")
        if self.background is not None and not (len(self.background) == 3 and np.isfinite(self.background).all()):
            raise ValueError(f"a background is three finite numbers, not {self.background}")


DEFAULT_SETTINGS = RenderSettings()
"""Transparent, no low-pass, colour and depth, every Gaussian."""


@dataclass(frozen=True, eq=False)
class Frame:
    """A rendered picture.

    Attributes:
        colour: (H, W, 3) float32 linear RGB, premultiplied by alpha, the background added where one was asked for; not clamped.
        alpha: (H, W) float32, how much of the pixel the Gaussians cover; 0 is a hole, whatever the background.
        depth: (H, W) float32 Σ w·z in metres, premultiplied like colour; None if not asked for.
        surface: (H, W) float32 metres, mean depth of the layer in which half of the pixel is covered, of all layers where no
            half is; infinite where alpha is below ``MIN_ALPHA``. None if not asked for or not known. It is what things in a
            viewport are hidden by: the mean of all layers is behind a wall that lets a thirtieth of the garden through.
    """

    colour: NDArray[np.float32]
    alpha: NDArray[np.float32]
    depth: NDArray[np.float32] | None = None
    surface: NDArray[np.float32] | None = None

    def expected_depth(self, min_alpha: float = MIN_ALPHA) -> NDArray[np.float32]:
        """Planar depth Σ w·z / alpha (H, W), metres; NaN where alpha < ``min_alpha``.

        Raises:
            ValueError: the frame was rendered without depth.
        """
        if self.depth is None:
            raise ValueError("this frame was rendered without depth")
        covered = self.alpha >= min_alpha
        return np.where(covered, self.depth / np.where(covered, self.alpha, 1), np.nan).astype(np.float32)


class Renderer(Protocol):
    """Turns Gaussians into pictures. One is made once and used for many frames; it may be called from any thread."""

    name: str

    def render(
        self, instances: Sequence[Instance], camera: Camera, settings: RenderSettings = DEFAULT_SETTINGS
    ) -> Frame:
        """One picture of all instances together, blended as if they were one cloud."""
        ...


def make_frame(
    colour: NDArray[np.float32],
    alpha: NDArray[np.float32],
    depth: NDArray[np.float32],
    surface: NDArray[np.float32] | None,
    settings: RenderSettings,
) -> Frame:
    """The frame that ``settings`` ask for, from premultiplied colour (H, W, 3), alpha (H, W), depth and surface (H, W)."""
    if settings.background is not None:
        colour = colour + (1 - alpha)[..., None] * np.asarray(settings.background, np.float32)
    passes = settings.passes
    return Frame(colour, alpha, depth if "depth" in passes else None, surface if "surface" in passes else None)
