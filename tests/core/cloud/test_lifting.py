"""Photo + depth → Gaussians: on the surface, as large as the pixels, nothing across edges, nothing invented."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from image_to_3d.core.cameras.intrinsics import Intrinsics
from image_to_3d.core.cloud.lifting import FOOTPRINT_SIGMA, THICKNESS, average_colours, grid_size, lift
from image_to_3d.core.cloud.quaternion import to_matrix
from image_to_3d.core.depth import depth_maps
from image_to_3d.core.imaging.colour import srgb8_to_linear

CAMERA = Intrinsics.centred(80.0, 64, 48)
GREY = np.full((48, 64, 3), 128, np.uint8)


def plane_depth(normal, distance, camera=CAMERA):
    """Planar depth of the plane n·X = d."""
    x, y = camera.pixel_rays()
    rays = np.stack(np.broadcast_arrays(x[None, :], y[:, None], 1.0), axis=-1)
    return distance / (rays @ np.asarray(normal))


@settings(max_examples=30)
@given(st.floats(-50, 50), st.floats(-40, 40), st.floats(0.3, 30))
def test_gaussians_of_a_plane_lie_on_it_and_along_it(yaw, pitch, distance):
    yaw, pitch = np.radians([yaw, pitch])
    normal = np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
    depth = plane_depth(normal, distance)
    if depth.min() <= 0 or depth.max() > 100 * distance:
        return
    cloud = lift(GREY, depth, CAMERA)
    assert np.allclose(cloud.positions @ normal, distance, rtol=1e-5)
    thin = to_matrix(cloud.rotations.astype(np.float64))[:, :, 2]
    assert np.abs(thin @ normal).min() > 1 - 1e-5
    assert (np.diff(cloud.scales, axis=1) <= 0).all()


@settings(max_examples=30)
@given(st.floats(-50, 50), st.floats(-40, 40))
def test_footprint_projects_to_the_same_circle_everywhere(yaw, pitch):
    yaw, pitch = np.radians([yaw, pitch])
    normal = np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
    cloud = lift(GREY, plane_depth(normal, 3.0), CAMERA)
    x, y, z = cloud.positions.astype(np.float64).T
    zero = np.zeros_like(z)
    J = np.stack([np.stack([80 / z, zero, -80 * x / z**2], -1), np.stack([zero, 80 / z, -80 * y / z**2], -1)], -2)
    projected = J @ cloud.covariances() @ np.swapaxes(J, -1, -2)
    tolerance = 1.05 * THICKNESS**2 * FOOTPRINT_SIGMA**2 / np.cos(np.radians(64)) ** 2  # what the thickness may add
    assert np.abs(projected - FOOTPRINT_SIGMA**2 * np.eye(2)).max() < tolerance + 1e-3


def test_no_gaussian_is_stretched_across_a_depth_edge():
    depth = np.full((48, 64), 2.0)
    depth[:, 32:] = 6.0
    cloud = lift(GREY, depth, CAMERA)
    pixel = FOOTPRINT_SIGMA * cloud.positions[:, 2] / 80.0
    assert np.allclose(cloud.scales[:, 0], pixel, rtol=1e-4)
    assert set(np.round(cloud.positions[:, 2], 6)) == {2.0, 6.0}


def test_thin_things_face_the_camera():
    depth = np.full((48, 64), 5.0)
    depth[10:40, 20] = 1.0
    cloud = lift(GREY, depth, CAMERA)
    pole = cloud.positions[:, 2] < 2
    assert pole.sum() == 30
    assert cloud.scales[pole].max() < 1.05 * FOOTPRINT_SIGMA * 1.0 / 80.0


def test_nothing_is_invented_where_depth_is_unknown():
    depth = np.full((48, 64), 2.0)
    depth[5:20, 8:30] = np.nan
    depth[30:33, :] = 0.0
    depth[40, 3] = np.inf
    cloud = lift(GREY, depth, CAMERA)
    known = np.isfinite(depth_maps.inverse_depth(depth))
    assert len(cloud) == known.sum()
    assert np.array_equal(cloud.cells(), np.flatnonzero(known))
    assert np.array_equal(np.isfinite(cloud.depth_image()), known)


def test_all_unknown_depth_is_refused():
    with pytest.raises(ValueError, match="no known depth"):
        lift(GREY, np.zeros((48, 64)), CAMERA)


def test_colours_are_the_photos_in_linear_light():
    photo = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    cloud = lift(photo, np.full((48, 64), 1.0), CAMERA)
    assert np.array_equal(cloud.colours, srgb8_to_linear(photo).reshape(-1, 3))


@pytest.mark.parametrize("size", [(48, 64), (480, 640), (123, 77), (100, 3)])
def test_averaging_keeps_the_mean_colour(size):
    photo = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    for cells in (size[0] * size[1], 500, 7):
        rows, cols = grid_size(size[1], size[0], cells)
        assert rows * cols <= cells
        blocks = average_colours(photo, rows, cols)
        heights = np.diff(np.arange(rows + 1) * size[0] // rows)
        widths = np.diff(np.arange(cols + 1) * size[1] // cols)
        mean = (blocks * (heights[:, None] * widths)[..., None]).sum((0, 1)) / (size[0] * size[1])
        assert np.allclose(mean, srgb8_to_linear(photo).mean((0, 1), dtype=np.float64), atol=1e-5)


def test_coarser_grids_stay_on_the_plane():
    normal = np.array([0.3, 0.5, 0.8]) / np.linalg.norm([0.3, 0.5, 0.8])
    cloud = lift(GREY, plane_depth(normal, 2.0), CAMERA, max_gaussians=700)
    assert len(cloud) <= 700 and cloud.grid is not None
    assert np.abs(cloud.positions @ normal - 2.0).max() < 2e-3


def test_resampling_never_mixes_two_sides_of_an_edge():
    depth = np.full((48, 64), 2.0)
    depth[:, 31:] = 6.0
    for rows, cols in ((96, 128), (20, 26), (480, 640)):
        z = 1 / depth_maps.resample_inverse_depth(depth_maps.inverse_depth(depth), rows, cols)
        assert set(np.round(z.ravel(), 9)) == {2.0, 6.0}


def test_sample_room_lengths_and_normals(sample, truth):
    from image_to_3d.io.depth import load_depth
    from image_to_3d.io.photo import load_photo

    photo = load_photo(sample / "photo.jpg")
    cloud = lift(photo.pixels, load_depth(sample / "depth_mm.png"), photo.intrinsics)
    assert np.isclose(photo.focal.px, truth["fx"])
    points = np.full((640 * 960, 3), np.nan)
    points[cloud.cells()] = cloud.positions
    points = points.reshape(640, 960, 3)
    for m in truth["measurements"]:
        a, b = (points[int(v), int(u)] for u, v in m["uv"])
        assert abs(np.linalg.norm(a - b) / m["length_m"] - 1) < 0.002, m["name"]
    thin = to_matrix(cloud.rotations.astype(np.float64))[:, :, 2]
    for name in ("floor", "ceiling", "wall_N", "wall_E", "wall_W"):
        plane = truth["planes"][name]
        on_plane = np.abs(cloud.positions @ np.array(plane["n"]) + plane["d"]) < 0.002
        angle = np.degrees(np.arccos(np.clip(np.abs(thin[on_plane] @ np.array(plane["n"])), 0, 1)))
        assert on_plane.sum() > 20_000 and np.percentile(angle, 90) < 1.0, name
