"""What readers of Gaussian files have in common: rows become a cloud, and what is wrong becomes a sentence."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core import GaussianCloud
from ..core.cloud.quaternion import normalise
from ..core.errors import ErrorCode, ImageTo3DError

log = logging.getLogger(__name__)


def unusable(path: Path, why: str, hint: str = "Export it again as a PLY of 3D Gaussians.") -> ImageTo3DError:
    """The error of a file that cannot be read; ``why`` goes on after a colon and has no final stop."""
    return ImageTo3DError(ErrorCode.IMAGE_UNREADABLE, "files.unreadable", path_name=path.name, why=why, hint=hint)


def read_whole(path: Path) -> bytes:
    """The bytes of a file.

    Raises:
        ImageTo3DError: ``image_unreadable`` if it is missing or may not be read.
    """
    if not path.is_file():
        raise unusable(path, "there is no such file", "Check the path for a typing error.")
    try:
        return path.read_bytes()
    except OSError as error:
        raise unusable(path, error.strerror or type(error).__name__) from None


def finite_cloud(
    path: Path,
    positions: NDArray[np.float32],
    scales: NDArray[np.float32],
    rotations: NDArray[np.float32],
    colours: NDArray[np.float32],
    opacities: NDArray[np.float32],
    **about: Any,
) -> GaussianCloud:
    """A cloud of the rows whose numbers are all finite; the others are left out with a warning.

    Args:
        path: for messages.
        positions, scales, rotations, colours, opacities: as in :class:`~image_to_3d.core.GaussianCloud`, but quaternions of any
            length.
        about: its further attributes.

    Raises:
        ImageTo3DError: ``image_unreadable`` if no row is finite, or they are no Gaussians.
    """
    finite = np.isfinite(opacities)
    for values in (positions, scales, rotations, colours):
        finite &= np.isfinite(values).all(axis=1)
    if not finite.any():
        raise unusable(path, "none of its points has finite values")
    try:
        cloud = GaussianCloud(
            positions=np.where(finite[:, None], positions, 0),
            scales=np.where(finite[:, None], scales, 0),
            rotations=normalise(np.where(finite[:, None], rotations, 0)),
            colours=np.where(finite[:, None], colours, 0),
            opacities=np.where(finite, opacities, 0),
            **about,
        )
    except ValueError as error:
        raise unusable(path, str(error)) from None
    if not finite.all():
        log.warning(
            "%s: %d of %d points are not finite and were left out.", path.name, int((~finite).sum()), len(finite)
        )
        cloud = cloud.select(finite)
    return cloud
