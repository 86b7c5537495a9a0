"""A surface mesh as the arrays that Blender stores, made away from its main thread."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core.cameras.axes import points_to_blender
from ..core.cloud.gaussians import GaussianCloud
from ..core.depth.relative_depth import inverse_depth_divisor
from ..core.imaging.photo_header import Upright
from ..core.surfaces.surface import SurfaceGrid, mesh_from_grid


@dataclass(frozen=True, eq=False)
class BlenderSurface:
    """Quads in the Blender frame, contiguous, lengths in Blender units.

    Attributes:
        vertices: (V, 3) float32.
        corners: (4 F,) int32, vertex of each face corner; faces look at the camera.
        edges: (E, 2) int32, the two vertices of each edge; Blender's own search for them would hold up its main thread.
        corner_edges: (4 F,) int32, edge from each corner to the next of its face.
        uvs: (4 F, 2) float32 in [0, 1], place of each corner in the upright photo, from its lower left.
        colours: (V, 4) float32, linear RGB of the Gaussian at the vertex and 1.
        points: (V,) int32, index of that Gaussian in the cloud.
    """

    vertices: NDArray[np.float32]
    corners: NDArray[np.int32]
    edges: NDArray[np.int32]
    corner_edges: NDArray[np.int32]
    uvs: NDArray[np.float32]
    colours: NDArray[np.float32]
    points: NDArray[np.int32]


def from_cloud(
    cloud: GaussianCloud, metres_per_unit: float = 1.0, max_vertices: int = 200_000
) -> BlenderSurface | None:
    """The surface that a photo sees, without faces across depth edges; None where the cloud has no picture grid, no
    intrinsics, or no two neighbours on one surface.

    Args:
        cloud: in the OpenCV frame, metres.
        metres_per_unit: ``scene.unit_settings.scale_length``.
        max_vertices: at least 4.
    """
    if cloud.grid is None or cloud.intrinsics is None:
        return None
    mesh = mesh_from_grid(SurfaceGrid.from_cloud(cloud), max_vertices)
    if not len(mesh.faces):
        return None
    corners = np.ascontiguousarray(mesh.faces.reshape(-1))
    colours = np.ones((len(mesh.vertices), 4), np.float32)
    # Cells increase strictly, and those of the front layer come first.
    points = np.searchsorted(cloud.cells(), mesh.cells).astype(np.int32)
    colours[:, :3] = cloud.colours[points]
    vertices = points_to_blender(mesh.vertices)
    if metres_per_unit != 1.0:
        vertices = vertices / np.float32(metres_per_unit)
    edges, corner_edges = _edges(mesh.faces, len(vertices))
    uvs = np.ascontiguousarray(mesh.uvs[corners])
    return BlenderSurface(np.ascontiguousarray(vertices), corners, edges, corner_edges, uvs, colours, points)


def _edges(faces: NDArray[np.int32], count: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Edges (E, 2) of quads (F, 4) over ``count`` vertices, and the edge (4 F,) that starts at each corner."""
    start, end = faces.reshape(-1).astype(np.int64), np.roll(faces, -1, axis=1).reshape(-1).astype(np.int64)
    keys, corner_edges = np.unique(np.minimum(start, end) * count + np.maximum(start, end), return_inverse=True)
    edges = np.stack([keys // count, keys % count], axis=-1).astype(np.int32)
    return edges, corner_edges.reshape(-1).astype(np.int32)


def stored_uvs(uvs: NDArray[np.float32], upright: Upright) -> NDArray[np.float32]:
    """Where points of the upright photo lie in the picture as its file stores it.

    Args:
        uvs: (N, 2) in the upright photo, from the lower left.
        upright: what makes the stored picture upright.
    """
    u, v = uvs[:, 0], uvs[:, 1]
    for _ in range(upright.quarter_turns):  # undo a turn clockwise: turn anticlockwise
        u, v = 1 - v, u
    if upright.mirrored:
        u = 1 - u
    return np.ascontiguousarray(np.stack([u, v], axis=-1), dtype=np.float32)


def with_inverse_depth_shift(vertices: NDArray[np.float32], shift: float, farthest: float) -> NDArray[np.float32]:
    """The vertices (N, 3) moved along their rays, 1/y' = 1/y + shift with the depth y.

    Args:
        vertices: in the Blender frame of the photo's camera, Blender units.
        shift: 1 / Blender unit.
        farthest: what would come to lie beyond it stops there, Blender units.
    """
    depth = np.maximum(vertices[:, 1].astype(np.float64), _NEAREST)
    divisor = np.fmax(inverse_depth_divisor(depth, shift), depth / farthest)
    return (vertices / divisor[:, None]).astype(np.float32)


_NEAREST = 1e-9  # a vertex at the camera has no ray
