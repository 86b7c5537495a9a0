"""A Blender camera made from intrinsics sees what the pinhole camera sees."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_to_3d.blender.camera import (
    BlenderLens,
    BlenderView,
    camera_from_matrices,
    camera_from_view,
    intrinsics_from_lens,
    lens_from_intrinsics,
    view_from_camera,
)
from image_to_3d.core import Camera
from image_to_3d.core.cameras.axes import matrix_to_opencv, points_to_opencv
from image_to_3d.core.cameras.intrinsics import Intrinsics, focal_from_mm35
from image_to_3d.core.cameras.trajectories import look_at

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


@given(intrinsics, st.booleans(), st.sampled_from([1.0, 0.01, 0.3048]))
def test_views_and_cameras_are_inverse(k: Intrinsics, orthographic: bool, metres_per_unit: float) -> None:
    camera = Camera(k, look_at([0.3, -0.2, 0.1], [0.0, 0.5, 4.0]), orthographic, 0.2, 80.0)
    again = camera_from_view(view_from_camera(camera, metres_per_unit), None, metres_per_unit)
    assert_same(again.intrinsics, k)
    assert again.orthographic == orthographic
    assert (again.near, again.far) == (pytest.approx(0.2), pytest.approx(80.0))
    np.testing.assert_allclose(again.world_to_camera, camera.world_to_camera, atol=1e-12)


@pytest.mark.parametrize("ortho_scale", [None, 3.0])
def test_a_camera_seen_from_a_moved_and_scaled_frame_draws_the_same_picture(ortho_scale: float | None) -> None:
    lens = BlenderLens(35, 36, 24, "AUTO", 0.1, -0.05, 640, 480, 1.0, 1.5)
    rotation = look_at([0, 0, 0], [0.3, 0.2, 1.0])[:3, :3]
    frame = np.eye(4)
    frame[:3, :3], frame[:3, 3] = 2.5 * rotation, [4, -1, 2]
    placed = np.eye(4)
    placed[:3, :3], placed[:3, 3] = look_at([0, 0, 0], [-0.4, 0.1, 1.0])[:3, :3], [1, 2, 3]
    view = BlenderView(lens, placed, ortho_scale, 0.1, 50.0)
    in_world, in_frame = camera_from_view(view), camera_from_view(view, frame)
    assert in_frame.near == pytest.approx(0.1 / 2.5)
    points = np.random.default_rng(0).uniform(-1, 1, (20, 3))  # Blender axes of the frame

    def pixels(camera: Camera, blender: np.ndarray) -> np.ndarray:
        x, y, z = blender.T
        seen = np.stack([x, -z, y], -1) @ camera.world_to_camera[:3, :3].T + camera.world_to_camera[:3, 3]
        k = camera.intrinsics
        depth = np.ones(len(seen)) if camera.orthographic else seen[:, 2]
        return np.stack([k.fx * seen[:, 0] / depth + k.cx, k.fy * seen[:, 1] / depth + k.cy], -1)

    expected = pixels(in_world, points @ frame[:3, :3].T + frame[:3, 3])
    np.testing.assert_allclose(pixels(in_frame, points), expected, atol=1e-6)


# --- the camera of a pair of matrices ---------------------------------------------------------------------------------


def opengl_perspective(left, right, bottom, top, near, far):
    """glFrustum of "The OpenGL Specification"."""
    return np.array(
        [
            [2 * near / (right - left), 0, (right + left) / (right - left), 0],
            [0, 2 * near / (top - bottom), (top + bottom) / (top - bottom), 0],
            [0, 0, -(far + near) / (far - near), -2 * far * near / (far - near)],
            [0, 0, -1, 0],
        ]
    )


def opengl_orthographic(left, right, bottom, top, near, far):
    """glOrtho of "The OpenGL Specification"."""
    return np.array(
        [
            [2 / (right - left), 0, 0, -(right + left) / (right - left)],
            [0, 2 / (top - bottom), 0, -(top + bottom) / (top - bottom)],
            [0, 0, -2 / (far - near), -(far + near) / (far - near)],
            [0, 0, 0, 1],
        ]
    )


def random_view(rng):
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    view = np.eye(4)
    view[:3, :3] = rotation * np.sign(np.linalg.det(rotation))
    view[:3, 3] = rng.normal(size=3)
    return view


def pixels_by_opengl(projection, view, points, width, height):
    clip = np.c_[points, np.ones(len(points))] @ (projection @ view).T
    device = clip[:, :2] / clip[:, 3:]
    return (device[:, 0] + 1) / 2 * width, (1 - device[:, 1]) / 2 * height


@pytest.mark.parametrize("metres_per_unit", [1.0, 0.01])
@pytest.mark.parametrize(
    ("make", "limits"),
    [
        (opengl_perspective, (-0.3, 0.7, -0.2, 0.5, 1.0, 50.0)),
        (opengl_orthographic, (-3.0, 7.0, -2.0, 4.0, 0.5, 50.0)),
        (opengl_orthographic, (-3.0, 7.0, -2.0, 4.0, -30.0, 50.0)),
    ],
    ids=["shifted perspective", "shifted orthographic", "orthographic viewport"],
)
def test_a_camera_of_matrices_puts_points_on_the_pixels_that_opengl_puts_them_on(make, limits, metres_per_unit) -> None:
    rng = np.random.default_rng(0)
    projection, view = make(*limits), random_view(rng)
    in_view = np.c_[rng.normal(size=(50, 2)), -rng.uniform(max(limits[4], 1.0), 40, 50), np.ones(50)]
    points = (in_view @ np.linalg.inv(view).T)[:, :3]  # Blender units
    seen = camera_from_matrices(projection, view, 640, 360, metres_per_unit)
    world = points_to_opencv(points) * metres_per_unit
    x, y, z = (world @ seen.camera.world_to_camera[:3, :3].T + seen.camera.world_to_camera[:3, 3]).T
    k = seen.camera.intrinsics
    w = 1.0 if seen.camera.orthographic else z
    u, v = pixels_by_opengl(projection, view, points, 640, 360)
    np.testing.assert_allclose(k.fx * x / w + k.cx, u, atol=1e-6)
    np.testing.assert_allclose(k.fy * y / w + k.cy, v, atol=1e-6)
    np.testing.assert_allclose(z - seen.back, -in_view[:, 2] * metres_per_unit, atol=1e-6)
    np.testing.assert_allclose(seen.camera.near - seen.back, limits[4] * metres_per_unit, atol=1e-6)
    np.testing.assert_allclose(seen.camera.far - seen.back, limits[5] * metres_per_unit, rtol=1e-6)


def test_an_orthographic_camera_stands_where_the_nearest_thing_is() -> None:
    projection = opengl_orthographic(-1, 1, -1, 1, -1000, 1000)
    seen = camera_from_matrices(projection, np.eye(4), 10, 10, nearest=4.0)
    assert seen.camera.near == pytest.approx(0.01) and seen.back == pytest.approx(0.01 - 4.0)
    behind_the_end = camera_from_matrices(projection, np.eye(4), 10, 10, nearest=5000.0)
    assert 0 < behind_the_end.camera.near < behind_the_end.camera.far == pytest.approx(0.02)


def test_matrices_that_are_no_cameras_are_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        camera_from_matrices(np.full((4, 4), np.nan), np.eye(4), 10, 10)


def test_an_object_matrix_moves_points_alike_in_both_frames() -> None:
    rng = np.random.default_rng(1)
    matrix = random_view(rng)
    matrix[:3, :3] *= 2.5
    points = rng.normal(size=(20, 3))
    moved = points @ matrix[:3, :3].T + matrix[:3, 3]
    opencv = matrix_to_opencv(matrix, 0.01)
    np.testing.assert_allclose(
        points_to_opencv(points) @ opencv[:3, :3].T + opencv[:3, 3], points_to_opencv(moved) * 0.01, atol=1e-12
    )
