"""Depth files of every kind become metres with NaN = unknown, or one sentence."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from image_to_3d.core.errors import ErrorCode, ImageTo3DError
from image_to_3d.io.depth import clean_depth, decode_depth, load_depth, write_depth_npy, write_depth_png

DEPTH = np.linspace(0.5, 9.0, 12 * 16).reshape(12, 16).astype(np.float32)
DEPTH[2, 3] = np.nan


def npz(**arrays) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def npy(array) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def test_png_round_trip_is_exact_to_half_a_millimetre(tmp_path):
    write_depth_png(tmp_path / "d.png", DEPTH)
    back = load_depth(tmp_path / "d.png")
    assert np.isnan(back[2, 3]) and np.isnan(back).sum() == 1
    assert np.nanmax(np.abs(back - DEPTH)) <= 0.0005001


def test_npy_round_trip_is_exact(tmp_path):
    write_depth_npy(tmp_path / "d.npy", DEPTH)
    assert np.array_equal(load_depth(tmp_path / "d.npy"), DEPTH, equal_nan=True)
    assert [p.name for p in tmp_path.iterdir()] == ["d.npy"]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("d.npz", npz(depth=DEPTH, other=DEPTH)),
        ("d.npz", npz(anything=DEPTH.astype(np.float64))),
        ("d.npy", npy(DEPTH[..., None])),
        ("d.npy", npy(np.asfortranarray(DEPTH))),
        ("d.npy", npy(DEPTH.astype(">f8"))),
    ],
)
def test_array_files(name, data):
    assert np.allclose(decode_depth(data, name), DEPTH, equal_nan=True)


def test_exr(tmp_path):
    openexr = pytest.importorskip("OpenEXR")
    channels = {"Z": np.nan_to_num(DEPTH)}
    openexr.File({"compression": openexr.ZIP_COMPRESSION, "type": openexr.scanlineimage}, channels).write(
        str(tmp_path / "d.exr")
    )
    assert np.allclose(load_depth(tmp_path / "d.exr"), DEPTH, equal_nan=True)


def test_zero_negative_and_infinite_mean_unknown():
    values = np.array([[1.0, 0.0, -2.0, np.inf, np.nan]])
    assert np.isnan(clean_depth(values)).tolist() == [[False, True, True, True, True]]


def png8() -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.full((4, 4), 9, np.uint8)).save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("d.npy", npy(np.zeros((4, 5))), "no depth in it is known"),
        ("d.npy", npy(np.zeros((4, 5, 3))), "shape"),
        ("d.npy", npy(np.array([[{}]], object)), "object"),
        ("d.npy", b"\x93NUMPY broken", ""),
        ("d.npz", npz(a=DEPTH, b=DEPTH), "depth"),
        ("d.npz", b"PK nothing", ""),
        ("d.png", png8(), "8 bits"),
        ("d.png", b"no picture", "known format"),
        ("d.exr", b"no exr at all", ""),
        ("d.npy", npy(np.full((2, 2), 1e9)), "metres"),
    ],
)
def test_bad_depth_gets_one_sentence(name, data, says):
    with pytest.raises(ImageTo3DError) as caught:
        decode_depth(data, name)
    assert caught.value.code in (ErrorCode.IMAGE_UNREADABLE, ErrorCode.IMAGE_TOO_LARGE)
    assert says in str(caught.value) and name in caught.value.message and "\n" not in str(caught.value)


def test_a_header_that_promises_too_much_is_refused_before_allocation():
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (10**6, 10**6)})
    with pytest.raises(ImageTo3DError) as caught:
        decode_depth(header.getvalue(), "d.npy")
    assert caught.value.code is ErrorCode.IMAGE_TOO_LARGE
