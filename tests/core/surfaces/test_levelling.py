"""Planes, gravity and levelling, in rooms whose sizes and camera are known exactly."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from image_to_3d.core import ImageTo3DError, Intrinsics, Provenance
from image_to_3d.core.surfaces.inspection import azimuth
from image_to_3d.core.surfaces.levelling import (
    camera_angles,
    find_gravity,
    gravity_from_angles,
    level,
    level_from_points,
    levelled_axes,
    looks_straight,
    up_from_angles,
)
from image_to_3d.core.surfaces.planes import angle_between, find_planes, fit_plane
from image_to_3d.core.surfaces.plumb_lines import PlumbLines, focal_sd_of, plumb_lines_of, told_by_lines
from image_to_3d.core.surfaces.surface import SurfaceGrid
from rooms import Box, Camera, Room, random_camera, random_room, structured_light
from sample_room import sample_grid


def gravity_of(depth: np.ndarray, intrinsics: Intrinsics):
    grid = SurfaceGrid(depth, intrinsics)
    return find_gravity(find_planes(grid), grid)


@given(st.floats(-80, 80), st.floats(-80, 80))
def test_camera_angles_and_up_are_inverse(pitch: float, roll: float) -> None:
    assert camera_angles(up_from_angles(pitch, roll)) == pytest.approx((pitch, roll), abs=1e-9)


def test_signs_pitch_is_up_and_roll_is_clockwise() -> None:
    looking_up = Camera((0, 0, 1), pitch_deg=10).up()
    assert looking_up[2] > 0 and camera_angles(looking_up) == pytest.approx((10, 0), abs=1e-9)
    clockwise = Camera((0, 0, 1), roll_deg=5)
    assert (clockwise.world_from_camera() @ [1.0, 0, 0])[2] < 0, "the right-hand side of the camera is down"
    assert camera_angles(clockwise.up()) == pytest.approx((0, 5), abs=1e-9)


@pytest.mark.parametrize("noise", ["exact", "noisy", "alike"])
@pytest.mark.parametrize("seed", [0, 3, 5, 7, 11, 13])
def test_levels_furnished_rooms_within_half_a_degree_and_one_percent(seed: int, noise: str) -> None:
    rng = np.random.default_rng(seed)
    room = random_room(rng)
    camera = random_camera(rng, room.size)
    depth = room.depth(camera) * 1.03
    if noise != "exact":
        depth = structured_light(depth, rng, 1 if noise == "noisy" else 3)
    gravity = gravity_of(depth, camera.intrinsics)
    limit = 0.01 if noise == "exact" else 0.5
    assert angle_between(gravity.up, camera.up()) < limit
    assert (gravity.pitch_deg, gravity.roll_deg) == pytest.approx((camera.pitch_deg, camera.roll_deg), abs=limit)
    levelling = level(gravity)
    assert levelling.camera_height_m == pytest.approx(
        1.03 * camera.position[2], rel=0.001 if noise == "exact" else 0.01
    )
    assert np.allclose(levelling.rotation @ gravity.up, [0, -1, 0], atol=1e-9)
    assert np.linalg.det(levelling.rotation) == pytest.approx(1)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_hundred_rooms_are_levelled_or_refused_but_never_wrong() -> None:
    levelled = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        room = random_room(rng)
        camera = random_camera(rng, room.size)
        depth = structured_light(room.depth(camera), rng, int(rng.integers(1, 4)))
        try:
            gravity = gravity_of(depth, camera.intrinsics)
            height = level(gravity).camera_height_m
        except ImageTo3DError:
            continue
        levelled += 1
        assert angle_between(gravity.up, camera.up()) < 0.5
        assert height == pytest.approx(camera.position[2], rel=0.01)
    assert levelled >= 80


def test_a_wall_can_be_turned_to_an_axis() -> None:
    camera = Camera((2.0, 0.4, 1.5), heading_deg=17, pitch_deg=-6, roll_deg=2)
    gravity = gravity_of(Room().depth(camera), camera.intrinsics)
    levelling = level(gravity, align_wall=gravity.walls[0])
    assert levelling.aligned
    for wall in gravity.walls:
        assert np.sort(np.abs(levelling.rotation @ wall.normal)) == pytest.approx([0, 0, 1], abs=1e-4)
    plain, turned = level(gravity).rotation[2], levelling.rotation[2]
    assert angle_between(plain, turned) == pytest.approx(17, abs=0.01), "by the least angle"
    with pytest.raises(ImageTo3DError, match="not upright"):
        level(gravity, align_wall=gravity.floor)


def test_rooms_that_are_not_square_are_levelled_as_well() -> None:
    camera = Camera((2.0, 0.4, 1.5), pitch_deg=-8, roll_deg=-3)
    slanted = (Box((0.4, 4.0, 1.3), (0.1, 6.0, 2.6), turn_deg=-25), Box((3.6, 4.0, 1.3), (0.1, 6.0, 2.6), turn_deg=20))
    gravity = gravity_of(Room(furniture=slanted).depth(camera), camera.intrinsics)
    assert angle_between(gravity.up, camera.up()) < 0.01
    assert len(gravity.walls) >= 2


def test_three_points_of_the_floor_level_too() -> None:
    camera = Camera((2.0, 0.4, 1.45), heading_deg=5, pitch_deg=-12, roll_deg=3)
    points = camera.to_camera(np.array([[1.0, 2, 0], [3, 2.2, 0], [2, 4, 0]]))
    for order in ([0, 1, 2], [2, 1, 0]):
        levelling = level_from_points(points[order])
        assert (levelling.pitch_deg, levelling.roll_deg) == pytest.approx((-12, 3), abs=1e-6)
        assert levelling.camera_height_m == pytest.approx(1.45)
        assert (levelling.rotation @ points.T)[1] == pytest.approx(1.45)
    with pytest.raises(ImageTo3DError, match="line"):
        level_from_points(camera.to_camera(np.array([[1.0, 2, 0], [2, 2, 0], [3, 2, 0]])))
    with pytest.raises(ImageTo3DError, match="above"):
        level_from_points(camera.to_camera(np.array([[1.0, 2, 2.6], [3, 2.2, 2.6], [2, 4, 2.6]])))


def refusal(room: Room, camera: Camera) -> str:
    with pytest.raises(ImageTo3DError) as caught:
        level(gravity_of(room.depth(camera), camera.intrinsics))
    assert caught.value.hint
    return str(caught.value)


def test_one_wall_only_is_refused() -> None:
    for pitch in (0, 15, -15):
        message = refusal(Room(sides=frozenset(["far"])), Camera((2.1, 2.0, 1.4), pitch_deg=pitch, focal_mm35=50))
        assert "cannot be levelled" in message


def test_no_floor_in_view_is_refused_though_gravity_may_be_known() -> None:
    camera = Camera((2.1, 0.3, 1.4), pitch_deg=22, focal_mm35=24)
    depth = Room().depth(camera)
    gravity = gravity_of(depth, camera.intrinsics)
    assert angle_between(gravity.up, camera.up()) < 0.01 and gravity.floor is None
    with pytest.raises(ImageTo3DError, match="no floor"):
        level(gravity)


def test_a_table_top_is_not_taken_for_the_floor() -> None:
    table = Box((2.1, 2.0, 0.375), (3.6, 1.6, 0.75))
    camera = Camera((2.1, 0.5, 1.5), pitch_deg=-14, focal_mm35=24)
    assert "no floor" in refusal(Room(furniture=(table,)), camera) or "lie" in refusal(Room(furniture=(table,)), camera)


def test_a_close_up_of_a_table_is_refused() -> None:
    room = Room(furniture=(Box((2.0, 2.1, 0.05), (0.08, 0.06, 0.1), 30),), sides=frozenset(["floor"]))
    assert "close-up" in refusal(room, Camera((2.0, 1.9, 0.2), pitch_deg=-40, focal_mm35=50))


def test_nothing_flat_is_refused() -> None:
    rng = np.random.default_rng(0)
    k = Intrinsics.centred(300, 160, 120)
    with pytest.raises(ImageTo3DError, match="no flat surface"):
        gravity_of(rng.uniform(1, 5, (120, 160)), k)
    with pytest.raises(ImageTo3DError, match="no flat surface"):
        gravity_of(np.full((120, 160), np.nan), k)


def test_a_leaning_mirror_does_not_turn_the_room() -> None:
    # What a mirror shows is a second room behind the wall, turned by twice the mirror's lean.
    camera = Camera((2.1, 0.3, 1.5), pitch_deg=-8)
    room = Room()
    depth = room.depth(camera)
    leaning = Camera((2.1, 0.3 - 4.0, 1.5), pitch_deg=-8 + 16)
    mirrored = Room(size=(4.2, 9.0, 2.6)).depth(leaning)
    rows, cols = depth.shape
    window = np.s_[rows // 3 : rows // 2, cols // 3 : 2 * cols // 3]
    depth[window] = np.where(mirrored[window] > depth[window], mirrored[window], depth[window])
    assert angle_between(gravity_of(depth, camera.intrinsics).up, camera.up()) < 0.5


def test_gravity_given_by_hand_classifies_the_planes() -> None:
    camera = Camera((2.1, 0.3, 1.5), pitch_deg=-8, roll_deg=1)
    grid = Room().grid(camera)
    gravity = gravity_from_angles(find_planes(grid), grid, -8, 1)
    assert {p.kind for p in gravity.planes} == {"floor", "ceiling", "wall"}
    assert gravity.floor.offset_m == pytest.approx(-1.5, abs=1e-6)


def test_planes_are_found_with_extent_and_area() -> None:
    camera = Camera((2.1, 0.3, 1.5), size=(480, 360), focal_mm35=20)
    grid = Room(furniture=(Box((2.1, 3.0, 0.75), (1.2, 0.8, 0.02)),)).grid(camera)
    planes = find_planes(grid)
    offsets = {round(-p.offset_m, 2) for p in planes}
    assert {1.5, 1.1, 2.1, 4.8, 0.74} <= offsets
    table = next(p for p in planes if round(-p.offset_m, 2) == 0.74)
    assert table.area_m2 == pytest.approx(1.2 * 0.8, rel=0.05)
    assert table.rms_m < 1e-3


def test_a_door_leaf_eight_millimetres_off_does_not_move_its_wall(sample: Path, truth: dict) -> None:
    grid = sample_grid(sample, truth)
    wall = next(p for p in find_planes(grid) if angle_between(p.normal, truth["planes"]["wall_W"]["n"]) < 3)
    assert -wall.offset_m == pytest.approx(2.95, abs=0.001)


def test_stated_uncertainty_of_a_plane_is_right() -> None:
    # The same wall under many draws of correlated noise: offsets scatter as the covariance says.
    camera = Camera((2.1, 1.0, 1.3), size=(160, 120))
    exact = Room(sides=frozenset(["far"]), size=(9, 4.1, 5)).depth(Camera((4.5, 1.0, 2.5), size=(160, 120)))
    scores = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        noise = np.repeat(np.repeat(rng.normal(0, 0.002, (40, 54)), 3, 0), 3, 1)[:120, :160]
        grid = SurfaceGrid(1 / (1 / exact + noise), camera.intrinsics)
        plane = fit_plane(grid, np.ones(exact.shape, bool))
        t, sd = plane.along(np.zeros(3), np.array([0.0, 0.0, 1.0]))
        scores.append((t - 3.1) / sd)
    assert 0.7 < np.std(scores) < 1.4


def test_sample_room_is_levelled(sample: Path, truth: dict) -> None:
    grid = sample_grid(sample, truth)
    gravity = find_gravity(find_planes(grid), grid)
    assert angle_between(-gravity.up, truth["gravity_cam"]) < 0.05
    assert gravity.pitch_deg == pytest.approx(-6, abs=0.05)
    assert gravity.roll_deg == pytest.approx(-1.5, abs=0.05), "the sample's camera is turned counter-clockwise"
    assert level(gravity).camera_height_m == pytest.approx(1.55, abs=0.002)
    for name, kind in (
        ("floor", "floor"),
        ("ceiling", "ceiling"),
        ("wall_N", "wall"),
        ("wall_E", "wall"),
        ("wall_W", "wall"),
    ):
        true = truth["planes"][name]
        found = [
            p
            for p in gravity.planes
            if angle_between(p.normal, true["n"]) < 0.3 and abs(p.offset_m + true["d"]) < 0.003
        ]
        assert found and found[0].kind == kind and found[0].confidence > 0.8


def real_photo(shared: Path, name: str) -> SurfaceGrid:
    folder = shared / "photos" / name
    k = json.loads((folder / "intrinsics.json").read_text())
    depth = np.asarray(Image.open(folder / "depth_mm.png"), float) / 1000
    return SurfaceGrid(depth, Intrinsics(k["fx"], k["fy"], k["cx"], k["cy"], k["width"], k["height"]))


def test_real_corridor_has_parallel_upright_walls(shared: Path) -> None:
    grid = real_photo(shared, "hallway_sun")
    gravity = find_gravity(find_planes(grid), grid)
    assert gravity.floor is not None and gravity.ceiling is not None
    sides = [w for w in gravity.walls if abs(w.normal[0]) > 0.9 and w.share > 0.02]
    assert len(sides) >= 3
    for wall in sides:
        assert abs(angle_between(wall.normal, gravity.up) - 90) < 1.5
        off = angle_between(wall.normal, sides[0].normal)
        assert min(off, 180 - off) < 1.5
    assert 0.8 < level(gravity).camera_height_m < 1.3


def test_real_desk_stands_on_its_floor(shared: Path) -> None:
    grid = real_photo(shared, "desk_tum")
    gravity = find_gravity(find_planes(grid), grid)
    floor = level(gravity).camera_height_m
    heights = [floor + float(p.centre @ gravity.up) for p in gravity.planes if angle_between(p.normal, gravity.up) < 6]
    tables = [h for h in heights if 0.6 < h < 0.85]
    assert tables, f"a table is about 0.72 m high, found level surfaces at {heights}"


def test_rendered_living_room_with_gaps_is_levelled(shared: Path) -> None:
    grid = real_photo(shared, "living_room_redwood")
    gravity = find_gravity(find_planes(grid), grid)
    assert abs(gravity.roll_deg) < 1 and abs(gravity.pitch_deg) < 3
    assert 0.3 < level(gravity).camera_height_m < 0.6


@given(pitch=st.floats(-90, 90), roll=st.floats(-180, 180))
def test_axes_of_the_level_are_a_rotation_whichever_way_the_camera_looks(pitch: float, roll: float) -> None:
    up = up_from_angles(pitch, roll)
    right, down, forward = axes = levelled_axes(up)
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(axes) == pytest.approx(1)
    np.testing.assert_allclose(down, -up, atol=1e-9)
    assert looks_straight(up) == (np.cos(np.radians(pitch)) < 0.02)
    if not looks_straight(up):
        assert abs(right[2]) < 1e-9 and forward[2] > 0, "ahead is where the camera looks"
    np.testing.assert_allclose(levelled_axes(3 * up), axes, atol=1e-12)


def test_a_camera_that_looks_straight_down_has_the_pictures_upper_edge_ahead() -> None:
    np.testing.assert_allclose(levelled_axes((0, 0, -1)), [(1, 0, 0), (0, 0, 1), (0, -1, 0)], atol=1e-12)
    assert azimuth(np.array([1.0, 0, 0]), np.array([0, 0, -1.0]), 0.0) is None, "no compass tells where that heads"


def tilted(up: np.ndarray, pitch_deg: float) -> np.ndarray:
    """``up`` as a camera pitched by so much more would have it."""
    pitch, roll = camera_angles(up)
    return up_from_angles(pitch + pitch_deg, roll)


def test_lines_and_planes_are_weighted_by_how_sure_they_are(sample: Path, truth: dict) -> None:
    grid = sample_grid(sample, truth)
    planes = find_planes(grid)
    alone = find_gravity(planes, grid)
    sure = find_gravity(planes, grid, plumb=PlumbLines(tilted(alone.up, 1.0), 0.01))
    unsure = find_gravity(planes, grid, plumb=PlumbLines(tilted(alone.up, 1.0), 5.0))
    assert sure.pitch_deg == pytest.approx(alone.pitch_deg + 1.0, abs=0.05)
    assert unsure.pitch_deg == pytest.approx(alone.pitch_deg, abs=0.05)
    assert sure.sd_deg < alone.sd_deg


def test_lines_that_contradict_the_surfaces_are_refused(sample: Path, truth: dict) -> None:
    grid = sample_grid(sample, truth)
    planes = find_planes(grid)
    up = find_gravity(planes, grid).up
    with pytest.raises(ImageTo3DError, match="12° apart"):
        find_gravity(planes, grid, plumb=PlumbLines(tilted(up, 12.0), 0.2))


def test_without_a_floor_in_view_lines_level_if_something_stands_by_them() -> None:
    camera = Camera((0.0, 0.0, 1.5), heading_deg=8.0, pitch_deg=14.0, roll_deg=2.0)
    depth = Room((6.0, 6.0, 6.0)).depth(camera)
    rows = depth.shape[0] // 3
    wall = SurfaceGrid(np.where(np.arange(depth.shape[0])[:, None] < 2 * rows, depth, np.nan), camera.intrinsics)
    planes = [plane for plane in find_planes(wall) if abs(angle_between(plane.normal, camera.up()) - 90) < 2][:1]
    with pytest.raises(ImageTo3DError):
        find_gravity(planes, wall)
    gravity = find_gravity(planes, wall, plumb=PlumbLines(camera.up(), 0.2))
    assert gravity.pitch_deg == pytest.approx(14.0) and gravity.roll_deg == pytest.approx(2.0)
    assert gravity.sd_deg == 0.2 and gravity.floor is None
    roof = tilted(camera.up(), 35.0)  # the wall leans by 35 degrees under these
    with pytest.raises(ImageTo3DError):
        find_gravity(planes, wall, plumb=PlumbLines(roof, 0.2))


def test_what_lines_tell_survives_in_a_provenance_and_nonsense_does_not() -> None:
    up = up_from_angles(-5.0, 1.0)
    origin = Provenance("lite", details={"camera_lines": told_by_lines(0.02, PlumbLines(up, 0.3))})
    plumb = plumb_lines_of(origin)
    assert plumb is not None and np.allclose(plumb.up, up) and plumb.sd_deg == 0.3
    assert focal_sd_of(origin) == 0.02
    for told in (
        None,
        {},
        {"up": [0, 0, 0], "up_sd_deg": 1},
        {"up": "x", "up_sd_deg": 1},
        {"up": [0, -1], "up_sd_deg": 1},
    ):
        broken = Provenance("lite", details={"camera_lines": told})
        assert plumb_lines_of(broken) is None and focal_sd_of(broken) is None
