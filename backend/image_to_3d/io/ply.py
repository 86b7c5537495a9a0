"""PLY files of 3D Gaussians: ours, SHARP's, and those of other programs.

Two layouts are written:

* ``ply``: one vertex element with the properties that every Gaussian splat viewer expects (Kerbl et al., 2023), degree-0
  colours in sRGB. Camera and picture grid travel in one header comment, which other programs skip.
* ``ply-full``: the layout of the published SHARP, with camera, image size and colour space as further elements.

Stored values: ``f_dc`` = (sRGB − 0.5) / C0, ``opacity`` = logit, ``scale`` = ln(metres), ``rot`` = (w, x, y, z).
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from plyfile import PlyData, PlyElement, PlyParseError

from ..core import GaussianCloud, Grid, Intrinsics, Provenance
from ..core.cloud.gaussians import CARRIED_DETAILS
from ..core.imaging.colour import linear_to_srgb, rgb_to_sh0, sh0_to_rgb, srgb_to_linear
from ._gaussian_rows import finite_cloud, unusable
from .atomic import atomic_path

log = logging.getLogger(__name__)

PlyFormat = Literal["ply", "ply-full"]
PROPERTIES = (
    *("x", "y", "z"),
    *("f_dc_0", "f_dc_1", "f_dc_2"),
    "opacity",
    *("scale_0", "scale_1", "scale_2"),
    *("rot_0", "rot_1", "rot_2", "rot_3"),
)
COMMENT = "image_to_3d "
_FLAT_SCALE = 1e-7  # metres; the third axis of 2D Gaussians, which have none


def write_ply(path: str | Path, cloud: GaussianCloud, layout: PlyFormat = "ply") -> None:
    """Write a cloud; the file appears whole or not at all.

    Raises:
        ImageTo3DError: the disk is full or the folder not writable.
    """
    table = np.empty((len(cloud), len(PROPERTIES)), np.float32)
    table[:, 0:3] = cloud.positions
    table[:, 3:6] = rgb_to_sh0(linear_to_srgb(cloud.colours))
    with np.errstate(divide="ignore"):  # opacity 0 or 1 is ∓infinity, scale 0 is −infinity: what SHARP writes as well
        table[:, 6] = np.log(cloud.opacities / (1 - cloud.opacities))
        table[:, 7:10] = np.log(cloud.scales)
    table[:, 10:14] = cloud.rotations
    vertex = table.view([(name, "f4") for name in PROPERTIES])[:, 0]
    elements = [PlyElement.describe(vertex, "vertex")]
    comments = []
    if layout == "ply-full":
        elements += _published_elements(cloud)
    else:
        comments.append(COMMENT + json.dumps(_metadata(cloud), separators=(",", ":"), ensure_ascii=True))
    with atomic_path(path) as temporary:
        PlyData(elements, byte_order="<", comments=comments).write(str(temporary))


def read_ply(path: str | Path) -> GaussianCloud:
    """Read 3D Gaussians of degree 0 from any PLY (binary of either byte order, or ASCII); higher degrees are ignored.

    Colours without a ``color_space`` element are sRGB, as splat trainers write them. Rows with NaN or infinite values are
    dropped with a warning; opacities of ∓infinity are 0 and 1.

    Raises:
        ImageTo3DError: ``image_unreadable`` for a missing, damaged or empty file, or one that holds no Gaussians.
    """
    path = Path(path)
    if not path.is_file():
        raise unusable(path, "there is no such file", "Check the path for a typing error.")
    try:
        data = PlyData.read(str(path))
    except PlyParseError as error:
        raise unusable(path, f"it is damaged or no PLY file ({str(error).rstrip('.')})") from None
    except (OSError, ValueError, UnicodeDecodeError, MemoryError) as error:
        raise unusable(path, str(error).rstrip(".") or type(error).__name__) from None
    elements = {element.name: element for element in data.elements}
    vertex = _vertex_columns(path, elements)
    metadata = _read_metadata(data.comments)
    grid, grid_index = _read_grid(elements, metadata, len(vertex["x"]))
    return _cloud_from_columns(
        path, vertex, _colour_space(elements), _read_intrinsics(elements, metadata), grid, grid_index, metadata
    )


def _metadata(cloud: GaussianCloud) -> dict[str, Any]:
    origin = cloud.provenance
    out: dict[str, Any] = {
        "version": 1,
        "engine": origin.engine,
        "metric": origin.metric,
        "focal_source": origin.focal_source,
    }
    if cloud.intrinsics is not None:
        k = cloud.intrinsics
        out["intrinsics"] = [k.fx, k.fy, k.cx, k.cy]
        out["size"] = [k.width, k.height]
    if cloud.grid is not None:
        out["grid"] = [cloud.grid.layers, cloud.grid.rows, cloud.grid.cols]
    return out | {key: origin.details[key] for key in CARRIED_DETAILS if key in origin.details}


def _scalars(name: str, values: Any, dtype: str) -> PlyElement:
    column = np.asarray(values).astype(dtype).ravel()
    return PlyElement.describe(column.view([(name, dtype)]), name)


def _published_elements(cloud: GaussianCloud) -> list[PlyElement]:
    k = cloud.intrinsics or Intrinsics.centred(512.0, 640, 480)
    with np.errstate(divide="ignore"):
        disparity = np.quantile(1.0 / cloud.positions[:, 2], [0.1, 0.9]) if len(cloud) else np.zeros(2)
    elements = [
        _scalars("extrinsic", np.eye(4), "f4"),
        _scalars("intrinsic", k.matrix(), "f4"),
        _scalars("image_size", [k.width, k.height], "u4"),
        _scalars("frame", [1, len(cloud)], "i4"),
        _scalars("disparity", disparity, "f4"),
        _scalars("color_space", [0], "u1"),
        _scalars("version", [1, 5, 0], "u1"),
    ]
    grid = cloud.grid
    if grid is not None and not (cloud.grid_index is None and grid.layers == 2 and grid.rows == grid.cols):
        elements.append(_scalars("grid", [grid.layers, grid.rows, grid.cols], "i4"))
        if cloud.grid_index is not None:
            elements.append(_scalars("grid_index", cloud.grid_index, "i4"))
    return elements


def _vertex_columns(path: Path, elements: dict[str, PlyElement]) -> dict[str, NDArray[Any]]:
    vertex = elements.get("vertex")
    if vertex is None:
        raise unusable(path, "it holds no vertices")
    names = {p.name for p in vertex.properties}
    if "packed_position" in names:
        raise unusable(path, "it is a compressed splat file", "Export it uncompressed, as a standard PLY.")
    if vertex.count == 0:
        raise unusable(path, "it holds no points")
    optional = {"scale_2"}
    missing = [name for name in PROPERTIES if name not in names and name not in optional]
    if missing:
        what = "a mesh or a plain point cloud" if "f_dc_0" in missing and "opacity" in missing else "incomplete"
        raise unusable(
            path, f"it is {what}: the Gaussians' {', '.join(missing[:4])}{' …' if len(missing) > 4 else ''} are missing"
        )
    lists = [p.name for p in vertex.properties if p.name in PROPERTIES and hasattr(p, "len_dtype")]
    if lists:
        raise unusable(path, f"its property {lists[0]} is a list instead of a number")
    columns = {name: np.asarray(vertex[name], np.float32) for name in PROPERTIES if name in names}
    if "scale_2" not in names:  # 2D Gaussian splatting: flat along the third axis
        columns["scale_2"] = np.full(vertex.count, np.log(_FLAT_SCALE), np.float32)
    return columns


def _read_metadata(comments: list[str]) -> dict[str, Any]:
    for comment in comments:
        if comment.startswith(COMMENT):
            try:
                metadata = json.loads(comment[len(COMMENT) :])
                return metadata if isinstance(metadata, dict) else {}
            except ValueError:
                return {}
    return {}


def _values(elements: dict[str, PlyElement], name: str) -> NDArray[Any] | None:
    if name not in elements or name not in {p.name for p in elements[name].properties}:
        return None
    return np.asarray(elements[name][name])


def _colour_space(elements: dict[str, PlyElement]) -> Literal["sRGB", "linear"]:
    tag = _values(elements, "color_space")
    return "linear" if tag is not None and len(tag) and int(tag[0]) == 1 else "sRGB"


def _read_intrinsics(elements: dict[str, PlyElement], metadata: dict[str, Any]) -> Intrinsics | None:
    try:
        if "intrinsics" in metadata:
            fx, fy, cx, cy = map(float, metadata["intrinsics"])
            width, height = map(int, metadata["size"])
            return Intrinsics(fx, fy, cx, cy, width, height)
        intrinsic, size = _values(elements, "intrinsic"), _values(elements, "image_size")
        if intrinsic is not None and size is not None and len(intrinsic) == 9:
            fx, _, cx, _, fy, cy, *_ = map(float, intrinsic)
            return Intrinsics(fx, fy, cx, cy, int(size[0]), int(size[1]))
        if intrinsic is not None and len(intrinsic) == 4:  # early files of SHARP: fx, fy, width, height
            fx, fy, wide, high = map(float, intrinsic)
            return Intrinsics(fx, fy, wide / 2, high / 2, int(wide), int(high))
    except (TypeError, ValueError, KeyError, IndexError):
        log.warning("The camera stored in the file makes no sense and is ignored.")
    return None


def _read_grid(
    elements: dict[str, PlyElement], metadata: dict[str, Any], count: int
) -> tuple[Grid | None, NDArray[np.int32] | None]:
    stored, index = _values(elements, "grid"), _values(elements, "grid_index")
    try:
        if stored is not None:
            return Grid(*map(int, stored)), None if index is None else np.asarray(index, np.int32)
        if "grid" in metadata:
            return Grid(*map(int, metadata["grid"])), None
    except (TypeError, ValueError):
        return None, None
    side = round((count / 2) ** 0.5)
    if "version" in elements and "image_size" in elements and 2 * side * side == count:
        return Grid(2, side, side), None  # what the published SHARP makes
    return None, None


def _cells_by_projection(
    positions: NDArray[np.float32], intrinsics: Intrinsics | None, grid: Grid
) -> NDArray[np.int32] | None:
    """Flat cells of a grid with holes, from the pixels that the points project to; None if they do not fit.

    Cells increase within a layer; where they do not, the next layer begins.
    """
    if intrinsics is None or not len(positions) or float(positions[:, 2].min()) <= 0:
        return None
    uv = intrinsics.project(positions.astype(np.float64)) * (
        grid.cols / intrinsics.width,
        grid.rows / intrinsics.height,
    )
    cell = np.floor(uv).astype(np.int64)
    if (cell < 0).any() or (cell >= (grid.cols, grid.rows)).any():
        return None
    index = cell[:, 1] * grid.cols + cell[:, 0]
    layer = np.cumsum(np.diff(index, prepend=-1) <= 0)
    if layer[-1] >= grid.layers:
        return None
    return (layer * (grid.rows * grid.cols) + index).astype(np.int32)


def _cloud_from_columns(
    path: Path,
    vertex: dict[str, NDArray[Any]],
    colour_space: Literal["sRGB", "linear"],
    intrinsics: Intrinsics | None,
    grid: Grid | None,
    grid_index: NDArray[np.int32] | None,
    metadata: dict[str, Any],
) -> GaussianCloud:
    def stack(*names: str) -> NDArray[np.float32]:
        return np.stack([vertex[name] for name in names], axis=-1)

    with np.errstate(over="ignore", invalid="ignore"):
        positions = stack("x", "y", "z")
        scales = np.exp(stack("scale_0", "scale_1", "scale_2"))
        rotations = stack("rot_0", "rot_1", "rot_2", "rot_3")
        colours = sh0_to_rgb(stack("f_dc_0", "f_dc_1", "f_dc_2"))
        colours = srgb_to_linear(colours) if colour_space == "sRGB" else colours
        opacities = 1.0 / (1.0 + np.exp(-vertex["opacity"]))
    if grid is not None and grid_index is None and len(positions) != grid.cells:
        grid_index = _cells_by_projection(positions, intrinsics, grid)
        grid = grid if grid_index is not None else None
    return finite_cloud(
        path,
        positions,
        scales,
        rotations,
        colours,
        opacities,
        intrinsics=intrinsics,
        grid=grid,
        grid_index=grid_index,
        provenance=Provenance(
            str(metadata.get("engine", "ply")),
            bool(metadata.get("metric", True)),
            metadata.get("focal_source"),
            details={"file": path.name, **{key: metadata[key] for key in CARRIED_DETAILS if key in metadata}},
        ),
    )
