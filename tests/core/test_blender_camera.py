"""A Blender camera made from intrinsics sees what the pinhole camera sees."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_to_3d.core.blender_camera import BlenderLens, intrinsics_from_lens, lens_from_intrinsics
from image_to_3d.core.intrinsics import Intrinsics, focal_from_mm35

sizes = st.integers(16, 9000)
intrinsics = st.builds(
    lambda w, h, f, a, x, y: Intrinsics(f * w, f * w * a, x * w, y * h, w, h),
    sizes,
    sizes,
    st.floats(0.2, 20),
    st.floats(0.5, 2),
    st.floats(-0.5, 1.5),
    st.floats(-0.5, 1.5),
)


def assert_same(a: Intrinsics, b: Intrinsics) -> None:
    for name, value in dataclasses.asdict(a).items():
        assert getattr(b, name) == pytest.approx(value, rel=1e-9, abs=1e-6), name


@given(intrinsics)
def test_lens_and_intrinsics_are_inverse(k: Intrinsics) -> None:
    assert_same(k, intrinsics_from_lens(lens_from_intrinsics(k)))


@given(intrinsics)
def test_pixel_aspects_are_ones_blender_accepts(k: Intrinsics) -> None:
    lens = lens_from_intrinsics(k)
    assert lens.pixel_aspect_x >= 1 and lens.pixel_aspect_y >= 1


@given(st.floats(8, 400), sizes, sizes)
def test_lens_is_the_35_mm_equivalent(mm35: float, width: int, height: int) -> None:
    focal = focal_from_mm35(mm35, width, height, "exif35")
    assert lens_from_intrinsics(Intrinsics.centred(focal.px, width, height)).lens == pytest.approx(mm35)


def test_principal_point_right_of_and_below_the_centre_moves_the_frame_left_and_up() -> None:
    lens = lens_from_intrinsics(Intrinsics(500, 500, 330, 250, 640, 480))
    assert lens.shift_x == pytest.approx(-10 / 640) and lens.shift_y == pytest.approx(10 / 640)


@pytest.mark.parametrize(
    ("fit", "width", "height", "expected"),
    [
        ("AUTO", 200, 100, 50 / 36 * 200),
        ("AUTO", 100, 200, 50 / 36 * 200),
        ("HORIZONTAL", 100, 200, 50 / 36 * 100),
        ("VERTICAL", 200, 100, 50 / 24 * 100),
    ],
)
def test_sensor_fit_chooses_the_side(fit: str, width: int, height: int, expected: float) -> None:
    k = intrinsics_from_lens(BlenderLens(50, 36, 24, fit, 0, 0, width, height))  # type: ignore[arg-type]
    assert k.fx == k.fy == pytest.approx(expected)
