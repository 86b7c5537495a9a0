"""Depth files: what LiDAR phones, RGB-D cameras and depth networks write.

In memory a depth map is (H, W) float32 planar depth z in metres with NaN = unknown.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from ..core.errors import ErrorCode, ImageTo3DError
from ..file_kinds import DEPTHS, kind_of, load
from .atomic import atomic_open, atomic_path
from .photo import MAX_PIXELS, read_file_bytes

MILLIMETRE = 0.001
MAX_METRES = 1e5


def _unreadable(
    name: str, why: str, hint: str = "Use 16-bit PNG in millimetres, or EXR, NPZ or NPY in metres."
) -> ImageTo3DError:
    return ImageTo3DError(ErrorCode.IMAGE_UNREADABLE, "depth.unusable", name=name or "given", why=why, hint=hint)


def load_depth(path: str | Path) -> NDArray[np.float32]:
    """Read a depth file, see :func:`decode_depth`."""
    path = Path(path)
    return decode_depth(read_file_bytes(path), path.name)


def decode_depth(data: bytes | memoryview, name: str) -> NDArray[np.float32]:
    """Bytes of a depth file → (H, W) float32 metres, NaN = unknown. The suffix of ``name`` tells the format.

    PNG and TIFF with 16-bit integers are millimetres with 0 = unknown; EXR, NPY, NPZ and float TIFF are metres with 0, NaN or
    infinity = unknown. An NPZ holds one array, or one called ``depth``.

    Raises:
        ImageTo3DError: ``image_unreadable`` if it is no depth map or no depth in it is known, ``image_too_large``.
    """
    kind = kind_of(name, DEPTHS)
    try:
        depth = read_image(data, name) if kind is None else load(kind.reader)(data, name)
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, SyntaxError) as error:
        raise _unreadable(name, str(error).rstrip(".") or type(error).__name__) from None
    return clean_depth(depth, name)


def clean_depth(values: NDArray[Any], name: str = "") -> NDArray[np.float32]:
    """(H, W) or (H, W, 1) metres → (H, W) float32 with NaN for 0, negative and infinite values.

    Raises:
        ImageTo3DError: ``image_unreadable`` for another shape, or if no depth is known.
    """
    depth = values
    if depth.ndim == 3 and depth.shape[2] == 1:
        depth = depth[..., 0]
    if depth.ndim != 2 or not depth.size:
        raise _unreadable(name, f"it has the shape {depth.shape} instead of rows and columns")
    depth = np.array(depth, np.float32)
    with np.errstate(invalid="ignore"):
        depth[~(np.isfinite(depth) & (depth > 0))] = np.nan
    if np.isnan(depth).all():
        raise _unreadable(name, "no depth in it is known", "Every value is 0 or NaN; check how the file was exported.")
    if float(np.nanmin(depth)) > MAX_METRES:
        raise _unreadable(name, f"its nearest depth is {np.nanmin(depth):.0f} m", "Save depths in metres.")
    return depth


def _check_size(shape: tuple[int, ...], name: str) -> None:
    if int(np.prod(shape, dtype=np.float64)) > MAX_PIXELS:
        raise ImageTo3DError(
            ErrorCode.IMAGE_TOO_LARGE,
            "depth.too_large",
            name=name,
            map="×".join(map(str, shape)),
            max_pixels=MAX_PIXELS // 1000000,
        )


def read_npy(data: bytes | memoryview, name: str) -> NDArray[Any]:
    """One array of numbers, metres. Raises ValueError, ImageTo3DError."""
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read_header(stream)
    _check_size(shape, name)
    if dtype.kind not in "fiu":
        raise ValueError(f"it holds {dtype} instead of numbers")
    stream.seek(0)
    return np.load(stream, allow_pickle=False).astype(np.float32)


def read_npz(data: bytes | memoryview, name: str) -> NDArray[Any]:
    """The array called ``depth``, or the only one, metres. Raises ValueError, ImageTo3DError."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [m for m in archive.infolist() if m.filename.endswith(".npy")]
        chosen = [m for m in members if m.filename == "depth.npy"] or (members if len(members) == 1 else [])
        if not chosen:
            raise ValueError("it holds several arrays and none is called 'depth'" if members else "it holds no array")
        if chosen[0].file_size > 8 * MAX_PIXELS + 4096:
            _check_size((chosen[0].file_size // 8,), name)
        return read_npy(archive.read(chosen[0]), name)


def read_image(data: bytes | memoryview, name: str) -> NDArray[Any]:
    """A picture that Pillow reads: integers are millimetres, floats are metres. Raises ValueError, ImageTo3DError."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            _check_size((image.size[1], image.size[0]), name)
            values = np.asarray(image)
            mode = image.mode
    except UnidentifiedImageError:
        raise ValueError("it is not a picture of a known format") from None
    except Image.DecompressionBombError:
        _check_size((MAX_PIXELS, 2), name)
        raise
    if mode == "F":
        return values
    if mode.startswith("I"):
        return values.astype(np.float32) * np.float32(MILLIMETRE)
    raise ValueError("its pixels have 8 bits; that is a picture of depth, not a measurement")


def read_exr(data: bytes | memoryview, name: str) -> NDArray[Any]:
    """First of the channels Z, V, Y, R (or the only one) of an OpenEXR file, by the optional OpenEXR package."""
    try:
        import OpenEXR
    except ImportError:
        raise _unreadable(
            name, "reading EXR needs the OpenEXR package", "Install it with: pip install 'image-to-3d[exr]'."
        ) from None
    import tempfile

    with tempfile.TemporaryDirectory() as folder:  # OpenEXR's Python module reads files only
        path = Path(folder) / "depth.exr"
        path.write_bytes(data)
        try:
            with OpenEXR.File(str(path), separate_channels=True) as file:
                window = file.header()["dataWindow"]
                _check_size(tuple(int(b - a) + 1 for a, b in zip(window[0], window[1], strict=True)), name)
                channels = {key: np.array(channel.pixels, np.float32) for key, channel in file.channels().items()}
        except RuntimeError as error:
            raise ValueError(str(error).splitlines()[0]) from None
    for wanted in ("Z", "V", "Y", "R"):
        for key, values in channels.items():
            if key.rsplit(".", 1)[-1].upper() == wanted or len(channels) == 1:
                return values
    raise ValueError(f"it has the channels {', '.join(sorted(channels))} but none called Z, V, Y or R")


def write_depth_npy(path: str | Path, depth: NDArray[np.floating]) -> None:
    """(H, W) float32 metres, NaN = unknown."""
    with atomic_open(path) as stream:
        np.save(stream, np.asarray(depth, np.float32), allow_pickle=False)


def write_depth_png(path: str | Path, depth: NDArray[np.floating]) -> None:
    """16-bit PNG in millimetres: 0 = unknown, 65535 = 65.535 m or farther."""
    millimetres = np.clip(np.nan_to_num(np.asarray(depth, np.float64) / MILLIMETRE, nan=0.0), 0, 65535)
    with atomic_open(path) as stream:
        Image.fromarray(np.rint(millimetres).astype(np.uint16)).save(stream, format="PNG")


def write_disparity_png(path: str | Path, disparity: NDArray[np.floating]) -> None:
    """16-bit PNG of relative inverse depth: 0 = farthest in the picture (and unknown), 65535 = nearest."""
    values = np.asarray(disparity, np.float64)
    low, high = np.nanmin(values), np.nanmax(values)
    levels = np.nan_to_num((values - low) / max(high - low, 1e-12) * 65535.0, nan=0.0)
    with atomic_open(path) as stream:
        Image.fromarray(np.rint(levels).astype(np.uint16)).save(stream, format="PNG")


def write_depth_exr(path: str | Path, depth: NDArray[np.floating]) -> None:
    """OpenEXR with one float32 channel Z in metres; infinity = unknown, as depth passes of renderers have it.

    Raises:
        ImageTo3DError: ``engine_failed`` if the optional OpenEXR package is missing or the folder not writable.
    """
    try:
        import OpenEXR
    except ImportError:
        raise ImageTo3DError(ErrorCode.ENGINE_FAILED, "depth.openexr_missing") from None
    values = np.ascontiguousarray(np.where(np.isfinite(depth), depth, np.inf), np.float32)
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    with atomic_path(path) as temporary:
        OpenEXR.File(header, {"Z": values}).write(str(temporary))
