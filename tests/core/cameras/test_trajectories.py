"""Camera moves are the published ones."""

from __future__ import annotations

import json

import numpy as np
import pytest
from plyfile import PlyData

from image_to_3d.core import Intrinsics
from image_to_3d.core.cameras.trajectories import (
    PUBLISHED,
    TRAJECTORIES,
    TrajectoryOptions,
    depth_range,
    eyes,
    look_at,
    reach,
    screen_size,
    trajectory,
)
from paths import SHARED

GOLDEN = SHARED / "golden" / "sharp"
needs_golden = pytest.mark.skipif(not GOLDEN.is_dir(), reason="the golden camera poses are not beside the repository")
PHOTO = Intrinsics.centred(88.0, 97, 64)
OPTIONS = {
    "default": TrajectoryOptions(),
    "alt": TrajectoryOptions(frames=7, repeats=3, max_disparity=0.05, max_zoom=0.3, distance_m=0.25),
}


@pytest.fixture(scope="module")
def positions():
    vertex = PlyData.read(str(GOLDEN / "micro_landscape.ply"))["vertex"]
    return np.stack([vertex[axis] for axis in "xyz"], -1)


@needs_golden
@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.parametrize("look", ["point", "ahead"])
@pytest.mark.parametrize("variant", ["default", "alt"])
def test_poses_are_the_published_ones(name, look, variant, positions):
    options = TrajectoryOptions(**{**vars(OPTIONS[variant]), "look_at": look})
    with np.load(GOLDEN / "cameras_micro_landscape.npz") as golden:
        poses = golden[f"{name}_{variant}_{look}_extrinsics"]
        intrinsics = golden[f"{name}_{variant}_{look}_intrinsics"]
        centres = golden[f"{name}_{variant}_eyes"]
    path = trajectory(name, positions, PHOTO, options)
    assert np.abs(eyes(name, reach(depth_range(positions), PHOTO, options), options) - centres).max() < 2e-7
    assert np.abs(np.stack([c.world_to_camera for c in path.cameras]) - poses).max() < 1e-6
    k = path.cameras[0].intrinsics
    assert np.allclose([k.fx, k.fy], [intrinsics[0, 0], intrinsics[1, 1]], rtol=1e-6)
    half_pixel = 0.5 * 98 / 97, 0.5  # theirs is off the middle by half a pixel of the photo
    assert np.allclose([k.cx, k.cy], [intrinsics[0, 2] + half_pixel[0], intrinsics[1, 2] + half_pixel[1]], atol=1e-5)
    assert (k.width, k.height) == (98, 64)


@needs_golden
def test_depth_quantiles_are_the_published_ones(positions):
    golden = json.loads((GOLDEN / "extra_golden.json").read_text())["camera"]
    depths = depth_range(positions)
    assert np.allclose([depths.nearest, depths.focus, depths.farthest], golden["depth_quantiles"], rtol=1e-6)
    assert np.allclose(reach(depths, PHOTO, TrajectoryOptions()), golden["max_offset_default"], rtol=1e-6)


@needs_golden
def test_screen_sizes_are_the_published_ones():
    for size, expected in json.loads((GOLDEN / "extra_golden.json").read_text())["camera"]["screen_resolution"].items():
        assert list(screen_size(*map(int, size.split("x")))) == expected, size


@pytest.mark.parametrize("name", TRAJECTORIES)
def test_every_move_is_a_loop_that_stays_near(name):
    cloud = np.random.default_rng(0).uniform([-1, -1, 2], [1, 1, 6], (500, 3))
    path = trajectory(name, cloud, PHOTO, TrajectoryOptions(frames=12))
    centres = [-c.world_to_camera[:3, :3].T @ c.world_to_camera[:3, 3] for c in path.cameras]
    assert len(centres) == 12
    assert np.abs(centres).max() < 0.2 * 2.1
    if name in ("rotate", "rotate_forward", "dolly", "look_around"):
        assert np.allclose(centres[0], centres[-1], atol=1e-12)


def test_a_dolly_goes_straight_ahead_as_far_as_rotate_forward():
    options = TrajectoryOptions(frames=21)
    centres = eyes("dolly", (0.3, 0.3, 0.4), options)
    assert (centres[:, :2] == 0).all() and centres[0, 2] == 0
    assert np.allclose(centres[:, 2], eyes("rotate_forward", (0.3, 0.3, 0.4), options)[:, 2])
    assert centres[10, 2] == pytest.approx(0.4)


@pytest.mark.parametrize("photo", [PHOTO, Intrinsics(80.0, 100.0, 40.0, 35.0, 97, 64), Intrinsics.centred(500, 60, 90)])
def test_looking_around_never_leaves_the_photo_but_touches_its_border(photo):
    cloud = np.random.default_rng(0).uniform([-1, -1, 2], [1, 1, 6], (500, 3))
    path = trajectory("look_around", cloud, photo, TrajectoryOptions(frames=40))
    k = photo.resized(*path.cameras[0].size)
    seen = []
    for camera in path.cameras:
        edge = np.linspace(0, 1, 9)
        frame = np.stack(np.meshgrid(edge * k.width, edge * k.height), -1).reshape(-1, 2)
        rays = camera.intrinsics.unproject(frame, np.ones(len(frame))) @ camera.world_to_camera[:3, :3]
        seen.append(k.project(rays))
    seen = np.concatenate(seen) / [k.width, k.height]
    assert seen.min() > -1e-6 and seen.max() < 1 + 1e-6
    assert min(np.abs(seen).min(), np.abs(1 - seen).min()) < 1e-3


def test_look_at_puts_its_target_in_the_middle_and_up_upwards():
    rng = np.random.default_rng(3)
    for _ in range(20):
        eye, target, up = rng.standard_normal((3, 3))
        matrix = look_at(eye, target, up)
        seen = matrix[:3, :3] @ target + matrix[:3, 3]
        assert np.allclose(seen, [0, 0, np.linalg.norm(target - eye)])
        assert np.allclose(matrix[:3, :3] @ matrix[:3, :3].T, np.eye(3)) and np.linalg.det(matrix[:3, :3]) > 0
        upwards = matrix[:3, :3] @ up
        assert abs(upwards[0]) < 1e-12 and upwards[1] < 0  # image y points down


def test_what_cannot_be_looked_at_is_refused():
    with pytest.raises(ValueError, match="direction of view"):
        look_at([0, 0, 0], [0, -2, 0])
    with pytest.raises(ValueError, match="in front"):
        depth_range(np.array([[0.0, 0, -1]]))
    with pytest.raises(ValueError, match="no trajectory"):
        eyes("spiral", (1, 1, 1), TrajectoryOptions())
