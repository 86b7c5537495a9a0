"""Axes, quaternions, colour and intrinsics obey the laws they stand for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from image_to_3d.core.cameras import axes
from image_to_3d.core.cameras.intrinsics import (
    DIAGONAL_35MM,
    FocalLength,
    Intrinsics,
    focal_from_exif,
    focal_from_fov,
    focal_from_mm35,
    focal_from_px,
)
from image_to_3d.core.cloud import quaternion
from image_to_3d.core.cloud.gaussians import GaussianCloud, Grid
from image_to_3d.core.imaging import colour

coordinates = st.floats(-1e3, 1e3, width=32)
vectors = arrays(np.float64, st.tuples(st.integers(1, 5), st.just(3)), elements=coordinates)
directions = arrays(np.float64, (4, 4), elements=st.floats(-1, 1)).filter(
    lambda q: (np.linalg.norm(q, axis=1) > 0.1).all()
)


@given(vectors)
def test_axes_are_undone_exactly(points):
    assert np.array_equal(axes.points_to_opencv(axes.points_to_blender(points)), points)


@given(vectors)
def test_axes_are_the_documented_rotation(points):
    blender = axes.points_to_blender(points)
    assert np.array_equal(blender, np.stack([points[:, 0], points[:, 2], -points[:, 1]], axis=-1))
    assert np.allclose(blender, points @ axes.BLENDER_FROM_OPENCV.T)
    assert np.isclose(np.linalg.det(axes.BLENDER_FROM_OPENCV), 1)


@given(directions, directions)
def test_a_gaussian_turned_to_blender_is_its_covariance_turned(q, s):
    q = quaternion.normalise(q)
    R, A = quaternion.to_matrix(q), axes.BLENDER_FROM_OPENCV
    turned = quaternion.to_matrix(axes.rotations_to_blender(q))
    assert np.allclose(turned, A @ R, atol=1e-12)
    assert np.allclose(axes.rotations_to_opencv(axes.rotations_to_blender(q)), q, atol=1e-12)


@given(directions, directions)
def test_quaternions_compose_like_matrices(a, b):
    a, b = quaternion.normalise(a), quaternion.normalise(b)
    product = quaternion.to_matrix(quaternion.multiply(a, b))
    assert np.allclose(product, quaternion.to_matrix(a) @ quaternion.to_matrix(b), atol=1e-12)


@given(directions)
def test_matrices_and_quaternions_are_two_names_of_one_rotation(q):
    q = quaternion.normalise(q)
    back = quaternion.from_matrix(quaternion.to_matrix(q))
    assert np.allclose(np.abs(np.einsum("ij,ij->i", q, back)), 1, atol=1e-12)


@pytest.mark.parametrize("axis", range(3))
def test_half_turns_survive_the_way_through_matrices(axis):
    q = np.zeros((1, 4))
    q[0, 1 + axis] = 1
    assert np.allclose(np.abs(quaternion.from_matrix(quaternion.to_matrix(q))), np.abs(q))


def test_zero_quaternion_becomes_identity():
    assert np.array_equal(quaternion.normalise(np.zeros((1, 4))), [[1, 0, 0, 0]])


def test_camera_of_the_photo_looks_along_blenders_y():
    matrix = axes.camera_to_world_blender(np.eye(4))
    assert np.allclose(matrix[:3, :3] @ [0, 0, -1], [0, 1, 0])  # a Blender camera looks along its −Z
    assert np.allclose(matrix[:3, :3] @ [0, 1, 0], [0, 0, 1])
    assert np.allclose(matrix[:3, 3], 0)


@given(directions, arrays(np.float64, 3, elements=coordinates))
def test_cameras_go_to_blender_and_back(q, t):
    world_to_camera = np.eye(4)
    world_to_camera[:3, :3] = quaternion.to_matrix(quaternion.normalise(q))[0]
    world_to_camera[:3, 3] = t
    back = axes.world_to_camera_opencv(axes.camera_to_world_blender(world_to_camera))
    assert np.allclose(back, world_to_camera, atol=1e-9)


def test_srgb_matches_the_standard(shared):
    import json

    golden = json.loads((shared / "golden/sharp/extra_golden.json").read_text())["color"]
    x = np.array(golden["x"])
    inside = (x >= 0) & (x <= 1)
    assert np.allclose(colour.linear_to_srgb(x), golden["linearRGB2sRGB"], atol=2e-6)
    assert np.allclose(colour.srgb_to_linear(x)[inside], np.array(golden["sRGB2linearRGB"])[inside], atol=2e-6)


def test_every_8_bit_colour_survives_linear_light():
    levels = np.arange(256, dtype=np.uint8)
    assert np.array_equal(colour.linear_to_srgb8(colour.srgb8_to_linear(levels)), levels)


def test_colours_out_of_range_are_clamped_not_wrapped():
    assert colour.linear_to_srgb8(np.array([-0.5, 1.7])).tolist() == [0, 255]


@given(st.floats(1, 500), st.integers(1, 10000), st.integers(1, 10000))
def test_focal_length_forms_agree(mm35, width, height):
    focal = focal_from_mm35(mm35, width, height, "user")
    assert np.isclose(focal.px / np.hypot(width, height), mm35 / DIAGONAL_35MM)
    assert np.isclose(focal_from_px(focal.px, width, height).mm35, mm35)
    fov = Intrinsics.centred(focal.px, width, height).horizontal_fov_deg
    assert np.isclose(focal_from_fov(fov, width, height).px, focal.px)


def test_published_focal_rules(shared):
    import json

    for case in json.loads((shared / "golden/sharp/extra_golden.json").read_text())["load_rgb"]["cases"]:
        tags = case["exif_ifd"]
        height, width = case["shape"][:2]
        focal = focal_from_exif(tags.get("41989"), tags.get("37386"), width, height)
        assert np.isclose(focal.px, case["f_px"]), case
        assert focal.source == ("exif35" if tags.get("41989", 0) >= 1 else "exif" if "37386" in tags else "assumed")


def test_senseless_focal_lengths_are_refused():
    with pytest.raises(ValueError, match="positive"):
        FocalLength(0.0, 1.0, "user")
    with pytest.raises(ValueError, match="180"):
        focal_from_fov(180.0, 10, 10)


@given(arrays(np.float64, (7, 3), elements=st.floats(-2, 2)), st.integers(1, 4000), st.integers(1, 4000))
def test_pixels_and_points_are_inverse(points, width, height):
    points[:, 2] = np.abs(points[:, 2]) + 0.1
    camera = Intrinsics(700.0, 710.0, width / 3, height / 2, width, height)
    assert np.allclose(camera.unproject(camera.project(points), points[:, 2]), points)
    larger = camera.resized(2 * width, 3 * height)
    assert np.allclose(larger.project(points), camera.project(points) * [2, 3])


def test_first_pixel_centre_is_half():
    x, y = Intrinsics.centred(100.0, 4, 2).pixel_rays()
    assert np.allclose(x * 100 + 2, [0.5, 1.5, 2.5, 3.5])
    assert np.allclose(y * 100 + 1, [0.5, 1.5])


def cloud_arguments(n=4, **changes):
    return {
        "positions": np.zeros((n, 3)),
        "scales": np.ones((n, 3)),
        "rotations": np.tile([1.0, 0, 0, 0], (n, 1)),
        "colours": np.zeros((n, 3)),
        "opacities": np.full(n, 0.5),
        **changes,
    }


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("positions", np.zeros((4, 2)), "shape"),
        ("positions", np.full((4, 3), np.nan), "NaN"),
        ("scales", np.full((4, 3), -1.0), "negative"),
        ("scales", np.full((4, 3), np.inf), "infinite"),
        ("rotations", np.full((4, 4), 2.0), "unit"),
        ("opacities", np.full(4, 1.5), "opacities"),
        ("grid", Grid(1, 2, 3), "fill"),
        ("grid_index", np.arange(4), "without a grid"),
    ],
)
def test_clouds_are_validated(field, value, complaint):
    with pytest.raises(ValueError, match=complaint):
        GaussianCloud(**cloud_arguments(**{field: value}))


@pytest.mark.parametrize("index", [[0, 1, 1, 2], [3, 2, 1, 0], [0, 1, 2, 9], [-1, 0, 1, 2]])
def test_grid_index_must_increase_inside_the_grid(index):
    with pytest.raises(ValueError, match="grid_index"):
        GaussianCloud(**cloud_arguments(grid=Grid(1, 2, 3), grid_index=np.array(index)))


def test_selection_keeps_the_place_in_the_grid():
    cloud = GaussianCloud(**cloud_arguments(6, grid=Grid(1, 2, 3), positions=np.arange(18.0).reshape(6, 3)))
    chosen = cloud.select(np.array([True, False, True, True, False, False]))
    assert chosen.cells().tolist() == [0, 2, 3]
    depth = chosen.depth_image()
    assert np.isnan(depth[0, 1]) and depth[0, 2] == 8 and depth[1, 0] == 11
    assert cloud.select(np.ones(6, bool)) is cloud
