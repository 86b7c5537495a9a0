"""The CPU renderer draws what the reference draws, for any scene, camera and arrangement."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from image_to_3d.core import Camera, GaussianCloud, Grid, Intrinsics
from image_to_3d.core.cameras.trajectories import look_at
from image_to_3d.core.cloud.quaternion import from_matrix, multiply
from image_to_3d.render import Instance, RenderSettings, cpu, cpu_kernels
from image_to_3d.render.cpu import CpuRenderer
from image_to_3d.render.detail import coarser
from image_to_3d.render.reference import ReferenceRenderer
from render_scenes import random_camera, random_cloud

CPU, REFERENCE = CpuRenderer(), ReferenceRenderer()


def assert_same_picture(a, b):
    """Equal but for the few pixels where rounding decides whether a Gaussian is drawn at all."""
    e = np.maximum(np.abs(a.colour - b.colour).max(-1), np.abs(a.alpha - b.alpha))
    e = np.maximum(e, np.abs(a.depth - b.depth) / np.maximum(1, np.abs(b.depth)))
    assert np.quantile(e, 0.999) < 2e-4
    assert e.mean() < 2e-5
    assert e.max() < 0.15
    assert b.alpha.max() > 0.5, "the scene is not in the picture"


@pytest.mark.parametrize("seed", range(8))
def test_agrees_with_reference(seed):
    instances, camera = [Instance(random_cloud(seed, 400))], random_camera(seed)
    settings = RenderSettings(eps2d=0.3 if seed % 2 else 0.0)
    assert_same_picture(CPU.render(instances, camera, settings), REFERENCE.render(instances, camera, settings))


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_reference_for_parallel_projection(seed):
    camera = Camera.orthographic_view(
        3.0, 83, 61, look_at([0.3, -0.2, -1.0], [0, 0, 3.0]), centre=(30.0, 35.0) if seed % 2 else None
    )
    instances = [Instance(random_cloud(seed))]
    assert_same_picture(CPU.render(instances, camera), REFERENCE.render(instances, camera))


@pytest.mark.parametrize("seed", range(6))
def test_surfaces_agree_with_reference(seed):
    """Where rounding does not decide which layer covers half of a pixel."""
    instances, camera = [Instance(random_cloud(seed, 400))], random_camera(seed)
    settings = RenderSettings(passes=("colour", "surface"))
    ours, theirs = (renderer.render(instances, camera, settings).surface for renderer in (CPU, REFERENCE))
    known = np.isfinite(theirs) & np.isfinite(ours)
    assert known.mean() > 0.1 and (np.isfinite(ours) == np.isfinite(theirs)).mean() > 0.999
    assert np.quantile(np.abs(ours[known] / theirs[known] - 1), 0.99) < 1e-4


@pytest.mark.parametrize("renderer", [CPU, REFERENCE], ids=lambda r: r.name)
def test_the_surface_is_the_wall_though_a_little_of_what_is_behind_shows_through(renderer):
    wall, garden = [0, 0, 3.0], [0, 0, 30.0]
    one = np.ones((2, 3))
    cloud = GaussianCloud([wall, garden], one * [[1], [10]], np.tile([1.0, 0, 0, 0], (2, 1)), one, [0.95, 0.95])
    camera = Camera.at_origin(Intrinsics.centred(20.0, 9, 9))
    frame = renderer.render([Instance(cloud)], camera, RenderSettings(passes=("colour", "depth", "surface")))
    assert frame.surface[4, 4] == pytest.approx(3.0) and frame.expected_depth()[4, 4] > 4
    veil = replace(cloud, opacities=np.float32([0.3, 0.95]))
    frame = renderer.render([Instance(veil)], camera, RenderSettings(passes=("surface",)))
    assert frame.surface[4, 4] == pytest.approx(30.0) and frame.depth is None
    thin = replace(cloud, opacities=np.float32([0.2, 0.2]))
    frame = renderer.render([Instance(thin)], camera, RenderSettings(passes=("depth", "surface")))
    assert frame.surface[4, 4] == pytest.approx(frame.expected_depth()[4, 4], rel=1e-4)
    assert renderer.render([], camera, RenderSettings(passes=("surface",))).surface[4, 4] == np.inf


def test_parallel_projection_keeps_size_with_distance():
    one = np.ones((1, 3))

    def width_at(z: float) -> int:
        cloud = GaussianCloud([[0, 0, z]], 0.1 * one, [[1, 0, 0, 0]], one, [1.0])
        return int((CPU.render([Instance(cloud)], Camera.orthographic_view(2.0, 64, 64, np.eye(4))).alpha > 0.5).sum())

    assert width_at(1.0) == width_at(7.0) > 10


def _similarity(seed: int) -> tuple[np.ndarray, float, np.ndarray]:
    rng = np.random.default_rng(seed)
    axis = rng.standard_normal(4)
    axis[0] += 3
    from image_to_3d.core.cloud.quaternion import normalise, to_matrix

    R, scale = to_matrix(normalise(axis)), float(rng.uniform(0.5, 2))
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = scale * R, rng.uniform(-0.3, 0.3, 3)
    return matrix, scale, R


@pytest.mark.parametrize("renderer", [CPU, REFERENCE], ids=lambda r: r.name)
@pytest.mark.parametrize("seed", range(3))
def test_object_transform_moves_turns_and_scales_the_cloud(renderer, seed):
    cloud, camera = random_cloud(seed, 80), random_camera(seed)
    matrix, scale, R = _similarity(seed)
    moved = replace(
        cloud,
        positions=cloud.positions @ matrix[:3, :3].T + matrix[:3, 3],
        scales=cloud.scales * scale,
        rotations=multiply(from_matrix(R).astype(np.float32), cloud.rotations),
    )
    assert_same_picture(renderer.render([Instance(cloud, matrix)], camera), renderer.render([Instance(moved)], camera))


def test_several_clouds_are_blended_as_one():
    cloud, camera = random_cloud(5, 300, opaque=0.3), random_camera(5)
    odd = np.arange(len(cloud)) % 2 == 1
    parts = [Instance(cloud.select(odd)), Instance(cloud.select(~odd))]
    together = CPU.render([Instance(cloud)], camera)
    assert_same_picture(CPU.render(parts, camera), together)
    one_over_the_other = sum(CPU.render([part], camera).colour for part in parts)
    assert np.abs(one_over_the_other - together.colour).max() > 0.1, "the parts do not cover each other"


def test_a_hole_has_no_alpha_and_takes_the_background():
    cloud = random_cloud(1, 1)
    camera = Camera.at_origin(Intrinsics.centred(60.0, 40, 30))
    clear = CPU.render([Instance(cloud)], camera)
    hole = clear.alpha == 0
    assert hole.any() and (clear.colour[hole] == 0).all() and (clear.depth[hole] == 0).all()
    assert np.isnan(clear.expected_depth()[hole]).all()
    painted = CPU.render([Instance(cloud)], camera, RenderSettings(background=(0.2, 0.5, 1.0)))
    assert np.array_equal(painted.alpha, clear.alpha)
    assert np.allclose(painted.colour[hole], [0.2, 0.5, 1.0])
    assert np.allclose(painted.colour, clear.colour + (1 - clear.alpha)[..., None] * [0.2, 0.5, 1.0], atol=1e-6)


@pytest.mark.parametrize("renderer", [CPU, REFERENCE], ids=lambda r: r.name)
def test_an_empty_scene_is_an_empty_picture(renderer):
    for instances in ([], [Instance(random_cloud(0).select(np.zeros(300, bool)))]):
        frame = renderer.render(instances, random_camera(0))
        assert frame.colour.shape == (61, 83, 3)
        assert not frame.colour.any() and not frame.alpha.any()


def test_depth_is_left_out_unless_asked_for():
    frame = CPU.render([Instance(random_cloud(2))], random_camera(2), RenderSettings(passes=("colour",)))
    assert frame.depth is None
    with pytest.raises(ValueError, match="without depth"):
        frame.expected_depth()


def test_expected_depth_of_a_wall_is_its_distance():
    x, y = np.meshgrid(np.linspace(-2, 2, 60), np.linspace(-2, 2, 60))
    positions = np.stack([x, y, np.full_like(x, 2.5)], -1).reshape(-1, 3)
    n = len(positions)
    cloud = GaussianCloud(
        positions, np.full((n, 3), 0.05), np.tile([1.0, 0, 0, 0], (n, 1)), np.ones((n, 3)), np.full(n, 0.9)
    )
    frame = CPU.render([Instance(cloud)], Camera.at_origin(Intrinsics.centred(50.0, 48, 40)))
    assert np.abs(frame.expected_depth() - 2.5).max() < 1e-5


def test_bands_of_tiles_do_not_show(monkeypatch):
    instances, camera = [Instance(random_cloud(3, 2000))], random_camera(3, 200, 150)
    whole = CPU.render(instances, camera)
    monkeypatch.setattr(cpu, "_MAX_PAIRS", 500)
    assert len(cpu._bands(np.arange(0, 5000, 400))) > 3
    banded = CPU.render(instances, camera)
    assert np.array_equal(banded.colour, whole.colour) and np.array_equal(banded.depth, whole.depth)


@pytest.mark.parametrize("count", [0, 1, 2, 24, 25, 500, 5000])
@pytest.mark.parametrize("spread", [1, 200, 2**20, 2**31])
def test_depth_sort_is_stable_and_exact(count, spread):
    keys = np.random.default_rng(count + spread).integers(7, 7 + spread, count).astype(np.uint32)
    rows = np.arange(count, dtype=np.int32)
    if count == 0:
        return
    order = cpu_kernels.sort_by_depth(rows.copy(), keys.copy(), np.empty_like(rows), np.empty_like(keys))
    assert np.array_equal(order, np.argsort(keys, kind="stable"))


def test_rows_that_are_not_finite_are_not_drawn():
    from raster_golden import Arrays

    cloud, camera = random_cloud(4, 50), random_camera(4)
    fields = {k: getattr(cloud, k).copy() for k in ("positions", "rotations", "scales", "opacities", "colours")}
    for name, value in (("positions", np.nan), ("rotations", np.inf), ("scales", np.nan), ("opacities", np.nan)):
        broken = {k: np.concatenate([v, v[:1]]) for k, v in fields.items()}
        broken[name][-1] = value
        for renderer in (CPU, REFERENCE):
            frame = renderer.render([Instance(Arrays(**broken))], camera)
            assert np.array_equal(frame.colour, renderer.render([Instance(cloud)], camera).colour), (
                name,
                renderer.name,
            )


@pytest.mark.parametrize("seed", range(4))
def test_absurd_numbers_draw_something_finite(seed):
    rng = np.random.default_rng(seed)
    n = 3000

    def wild(*shape, low=-38, high=37):
        return (10.0 ** rng.uniform(low, high, shape)).astype(np.float32)

    rotations = rng.standard_normal((n, 4))
    cloud = GaussianCloud(
        wild(n, 3) * rng.choice([-1, 1], (n, 3)),
        wild(n, 3, high=30),
        rotations / np.linalg.norm(rotations, axis=1, keepdims=True),
        rng.uniform(0, 1, (n, 3)),
        rng.uniform(0, 1, n),
    )
    for camera in (random_camera(seed), Camera.orthographic_view(3.0, 83, 61, np.eye(4))):
        frame = CPU.render([Instance(cloud)], camera)
        assert np.isfinite(frame.colour).all() and np.isfinite(frame.alpha).all()


def test_it_may_be_called_from_many_threads():
    from concurrent.futures import ThreadPoolExecutor

    instances = [Instance(random_cloud(1))]
    cameras = [random_camera(seed) for seed in range(12)]
    expected = [CPU.render(instances, camera).colour for camera in cameras]
    with ThreadPoolExecutor(4) as pool:
        pictures = list(pool.map(lambda camera: CPU.render(instances, camera).colour, cameras))
    assert all(np.array_equal(a, b) for a, b in zip(pictures, expected, strict=True))


def _grid_cloud(rows: int = 48, cols: int = 64) -> GaussianCloud:
    k = Intrinsics.centred(60.0, cols, rows)
    x, y = k.pixel_rays()
    rays = np.stack(np.broadcast_arrays(x[None, :], y[:, None], np.ones((rows, cols))), -1)
    positions = (2.0 * rays).reshape(-1, 3)
    n = rows * cols
    u = np.tile(np.arange(cols) / cols, rows)
    return GaussianCloud(
        positions, np.full((n, 3), 2.0 / 60 / 2), np.tile([1.0, 0, 0, 0], (n, 1)), np.stack([u, 1 - u, u * 0], -1),
        np.full(n, 0.99), k, Grid(1, rows, cols),
    )  # fmt: skip


def test_less_detail_looks_alike_with_fewer_gaussians():
    cloud = _grid_cloud()
    assert len(coarser(cloud, 2)) * 4 == len(cloud)
    assert len(coarser(random_cloud(0), 2)) == 300, "a cloud without a grid stays as it is"
    camera = Camera.at_origin(cloud.intrinsics)
    fine = CPU.render([Instance(cloud)], camera)
    coarse = CPU.render([Instance(cloud)], camera, RenderSettings(detail=2))
    difference = np.abs(fine.colour - coarse.colour)[4:-4, 4:-4]
    assert difference.mean() < 0.03 and difference.max() < 0.15
    assert coarse.alpha[4:-4, 4:-4].min() > 0.8
    assert not np.array_equal(fine.colour, coarse.colour)


def test_less_detail_is_forgotten_with_its_cloud():
    import gc

    renderer, camera = CpuRenderer(), random_camera(0)
    for cloud in (_grid_cloud(), random_cloud(0)):
        renderer.render([Instance(cloud)], camera, RenderSettings(detail=2))
    assert len(renderer._coarse) > 0
    del cloud
    gc.collect()
    assert len(renderer._coarse) == 0


def test_kernels_are_compiled_for_one_kind_of_array():
    cloud, camera = random_cloud(0), random_camera(0)
    frame = CPU.render([Instance(cloud)], camera)
    before = len(cpu_kernels.project.signatures)
    received = np.frombuffer(cloud.positions.tobytes(), np.float32).reshape(-1, 3)
    assert not received.flags.writeable
    assert np.array_equal(CPU.render([Instance(replace(cloud, positions=received))], camera).colour, frame.colour)
    assert len(cpu_kernels.project.signatures) == before == 1


def test_less_detail_keeps_a_grid_with_gaps_in_order():
    cloud = _grid_cloud(7, 9)
    gappy = cloud.select(np.arange(63) % 5 != 0)
    coarse = coarser(gappy, 2)
    assert coarse.grid == Grid(1, 4, 5) and 0 < len(coarse) < 20
    kept = coarse.depth_image()
    assert np.isfinite(kept).sum() == len(coarse)


def test_compiling_is_announced_only_if_it_takes_long(monkeypatch):
    CPU.render([], random_camera(0))
    said = []
    monkeypatch.setattr(cpu, "_NOTICE_AFTER_S", 60.0)
    CpuRenderer(said.append).render([], random_camera(0))
    assert said == [], "everything is compiled by now"
    monkeypatch.setattr(cpu, "_NOTICE_AFTER_S", 0.01)

    def slow(*args):
        import time

        time.sleep(0.3)

    monkeypatch.setattr(cpu, "_render", slow)
    CpuRenderer(said.append)._compile()
    assert len(said) == 1 and "ompiling" in said[0]
