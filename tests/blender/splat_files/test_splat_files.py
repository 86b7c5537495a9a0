"""Files of 3D Gaussians: into a scene and out of it."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

import drawn

bpy = pytest.importorskip("bpy", reason="needs the bpy module of a real Blender")


@pytest.fixture
def session(panel_without_backend):
    return panel_without_backend.session


def cloud(count: int = 500):
    from image_to_3d.core import GaussianCloud
    from image_to_3d.core.cloud.quaternion import normalise

    random = np.random.default_rng(3)
    return GaussianCloud(
        positions=random.normal((0, 0, 4), 1, (count, 3)),
        scales=random.uniform(0.01, 0.1, (count, 3)),
        rotations=normalise(random.normal(size=(count, 4))),
        colours=random.uniform(0.05, 0.9, (count, 3)),
        opacities=random.uniform(0.1, 0.9, count),
    )


def load(addon, session, path: Path):
    assert bpy.ops.image_to_3d.import_splats(filepath=str(path)) == {"FINISHED"}
    session.wait(30)
    return addon.scene.roles.find(bpy.data.objects[session.last_root])


def save(session, path: Path, **options):
    assert bpy.ops.image_to_3d.export_splats(filepath=str(path), **options) == {"FINISHED"}
    session.wait(30)
    from image_to_3d.io.gaussian_files import read_scene

    return read_scene(path)


@pytest.mark.parametrize("metres_per_unit", [1.0, 0.01])
def test_what_comes_in_goes_out_again(addon, session, tmp_path, metres_per_unit) -> None:
    from image_to_3d.io.ply import write_ply

    bpy.context.scene.unit_settings.scale_length = metres_per_unit
    before = cloud()
    write_ply(tmp_path / "plant.ply", before)
    built = load(addon, session, tmp_path / "plant.ply")
    assert built.root.name == "plant" and built.camera is None and built.surface is None
    assert built.points.parent == built.root and built.root.image_to_3d.outcome.points == len(before)
    after = save(session, tmp_path / "again.ply")
    np.testing.assert_allclose(after.positions, before.positions, atol=1e-5)
    np.testing.assert_allclose(after.covariances(), before.covariances(), atol=1e-6)
    np.testing.assert_allclose(after.colours, before.colours, atol=1e-4)
    np.testing.assert_allclose(after.opacities, before.opacities, atol=1e-4)


def test_a_file_comes_into_the_scene_it_was_wanted_for_also_when_that_is_renamed(addon, session, tmp_path) -> None:
    from image_to_3d.io.ply import write_ply

    write_ply(tmp_path / "plant.ply", cloud())
    wanted = bpy.context.scene
    assert bpy.ops.image_to_3d.import_splats(filepath=str(tmp_path / "plant.ply")) == {"FINISHED"}
    wanted.name = "Another name"
    bpy.context.window.scene = bpy.data.scenes.new("Scene")
    session.wait(30)
    assert "plant" in wanted.objects and "plant" not in bpy.context.scene.objects


def test_the_transform_is_applied_where_wanted(addon, session, tmp_path) -> None:
    from mathutils import Matrix

    from image_to_3d.core.cameras.axes import points_to_blender
    from image_to_3d.io.ply import write_ply

    before = cloud()
    write_ply(tmp_path / "plant.ply", before)
    built = load(addon, session, tmp_path / "plant.ply")
    built.root.location, built.root.rotation_euler, built.root.scale = (1, -2, 0.5), (0.3, 0.2, -1), (2, 2, 2)
    bpy.context.view_layer.update()
    world = np.array(built.points.matrix_world)
    after = save(session, tmp_path / "world.ply", apply_transform=True)
    expected = points_to_blender(before.positions) @ world[:3, :3].T + world[:3, 3]
    np.testing.assert_allclose(points_to_blender(after.positions), expected, atol=1e-4)
    # Covariances turn with the points: C' = M C Mᵀ, with M in the OpenCV frame.
    axes = points_to_blender(np.eye(3)).T.astype(np.float64)
    turn = axes.T @ world[:3, :3] @ axes
    np.testing.assert_allclose(after.covariances(), turn @ before.covariances() @ turn.T, atol=1e-5)
    local = save(session, tmp_path / "local.ply", apply_transform=False)
    np.testing.assert_allclose(local.positions, before.positions, atol=1e-4)
    built.root.matrix_world = Matrix.Diagonal((1, 2, 1, 1))
    bpy.context.view_layer.update()
    assert bpy.ops.image_to_3d.export_splats(filepath=str(tmp_path / "no.ply")) == {"CANCELLED"}
    assert "stretched" in session.failure.message and not (tmp_path / "no.ply").exists()


def test_a_photo_goes_out_and_comes_back_with_camera_grid_and_what_was_filled_in(panel, addon, tmp_path) -> None:
    from image_to_3d.core.cloud.background_fill import invented

    panel.choose_sample()
    built = panel.generate()
    bpy.context.view_layer.update()
    after = save(panel.session, tmp_path / "room.ply", apply_transform=False)
    outcome = built.root.image_to_3d.outcome
    assert len(after) == outcome.points
    assert (after.intrinsics.width, after.intrinsics.height) == tuple(outcome.size)
    np.testing.assert_allclose(after.intrinsics.fx, outcome.focal_px, rtol=1e-6)
    assert after.grid is not None and (after.grid.layers, after.grid.rows, after.grid.cols) == tuple(outcome.grid)
    assert 0 < invented(after).sum() == outcome.invented
    assert after.provenance.engine == outcome.engine and after.provenance.metric
    again = load(addon, panel.session, tmp_path / "room.ply")
    np.testing.assert_allclose(
        addon.scene.points.read(again.points, "position"),
        addon.scene.points.read(built.points, "position"),
        atol=1e-5,
    )
    again.root.location.x = 1
    bpy.context.view_layer.update()
    moved = save(panel.session, tmp_path / "moved.ply", apply_transform=True)
    assert moved.grid is None and moved.intrinsics is None and len(moved) == len(after)


def test_our_files_bring_their_camera_and_surface(addon, session, tmp_path) -> None:
    from dataclasses import replace

    from image_to_3d.core import Grid, Intrinsics
    from image_to_3d.io.ply import write_ply

    k = Intrinsics.centred(20, 30, 20)
    x, y = k.pixel_rays(20, 30)
    rays = np.stack([*np.meshgrid(x, y), np.ones((20, 30))], -1).reshape(-1, 3)
    write_ply(tmp_path / "wall.ply", replace(cloud(600), positions=3 * rays, intrinsics=k, grid=Grid(1, 20, 30)))
    built = load(addon, session, tmp_path / "wall.ply")
    assert built.camera is not None and bpy.context.scene.camera == built.camera
    assert len(built.surface.data.polygons) == 19 * 29


def test_a_file_that_holds_no_gaussians_leads_to_a_sentence(session, tmp_path) -> None:
    from image_to_3d.core import ImageTo3DError

    (tmp_path / "mesh.ply").write_text("ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nend_header\n0\n")
    before = set(bpy.data.objects.keys())
    bpy.ops.image_to_3d.import_splats(filepath=str(tmp_path / "mesh.ply"))
    with pytest.raises(ImageTo3DError, match=r"mesh\.ply"):
        session.wait(30)
    assert set(bpy.data.objects.keys()) == before


def test_several_files_come_one_after_the_other(session, tmp_path) -> None:
    from image_to_3d.io.ply import write_ply

    for name in ("a.ply", "b.ply"):
        write_ply(tmp_path / name, cloud(50))
    files = [{"name": "a.ply"}, {"name": "b.ply"}]
    assert bpy.ops.image_to_3d.import_splats(directory=str(tmp_path), files=files) == {"FINISHED"}
    session.wait(30)
    assert {"a", "b"} <= set(bpy.data.objects.keys())


def test_the_panel_names_the_file_at_work_and_says_when_it_was_written(addon, session, tmp_path, monkeypatch) -> None:
    from image_to_3d.io.ply import write_ply

    def panel() -> str:
        layout = drawn.Drawn()
        addon.sidebar.IMAGE_TO_3D_PT_main.draw(type("P", (), {"layout": layout}), drawn.context(bpy))
        return layout.text

    held = threading.Event()

    def holding(work):
        def held_work(*arguments):
            assert held.wait(20)
            return work(*arguments)

        return held_work

    for name in ("read_scene", "write_scene"):
        monkeypatch.setattr(addon.splat_files.files, name, holding(getattr(addon.splat_files.files, name)))
    monkeypatch.setattr(session, "welcome", None)
    write_ply(tmp_path / "plant.ply", cloud(50))
    bpy.ops.image_to_3d.import_splats(filepath=str(tmp_path / "plant.ply"))
    assert session.busy and "Reading plant.ply" in panel()
    assert "Connecting" not in addon.backend.panel.situation(bpy.context).text
    held.set()
    session.wait(30)
    assert "plant.ply" not in panel()
    held.clear()
    bpy.ops.image_to_3d.export_splats(filepath=str(tmp_path / "out.ply"))
    assert "Writing out.ply" in panel() and "was written" not in panel()
    held.set()
    session.wait(30)
    assert "Writing" not in panel() and "out.ply was written." in panel()
    bpy.ops.image_to_3d.import_splats(filepath=str(tmp_path / "plant.ply"))
    assert "out.ply" not in panel()
    session.wait(30)


def test_photos_come_through_the_file_menu_too(panel) -> None:
    panel.choose_sample()
    path, panel.recipe.photo_path = panel.recipe.photo_path, ""
    assert bpy.ops.image_to_3d.import_photo(filepath=path) == {"FINISHED"}
    panel.session.wait(60)
    assert panel.session.last_root == "photo"


@pytest.mark.parametrize("suffix", [".splat", ".spz"])
def test_small_files_go_out_and_come_back(addon, session, tmp_path, suffix) -> None:
    from image_to_3d.io.ply import write_ply

    before = cloud()
    write_ply(tmp_path / "plant.ply", before)
    built = load(addon, session, tmp_path / "plant.ply")
    after = save(session, tmp_path / f"small{suffix}")
    order = np.argsort(-before.scales.prod(1) * before.opacities) if suffix == ".splat" else np.arange(len(before))
    np.testing.assert_allclose(after.positions, before.positions[order], atol=2e-4)
    again = load(addon, session, tmp_path / f"small{suffix}")
    assert again.root.name == "small" and again.root != built.root
    np.testing.assert_allclose(
        addon.scene.points.read(again.points, "position"),
        addon.scene.points.read(built.points, "position")[order],
        atol=2e-4,
    )


def test_the_kind_of_file_gives_a_suffix_that_was_left_out(session, addon, tmp_path) -> None:
    from image_to_3d.io.ply import write_ply

    write_ply(tmp_path / "plant.ply", cloud(50))
    load(addon, session, tmp_path / "plant.ply")
    assert bpy.ops.image_to_3d.export_splats(filepath=str(tmp_path / "garden"), kind=".spz") == {"FINISHED"}
    session.wait(30)
    assert (tmp_path / "garden.spz").is_file() and not (tmp_path / "garden").exists()


@pytest.mark.parametrize("extra", ["f_rest", "sharp"])
def test_files_of_other_programs_load(addon, session, tmp_path, extra) -> None:
    """With higher harmonics, as trainers write them, and with the elements of the published SHARP."""
    from plyfile import PlyData, PlyElement

    from image_to_3d.io.ply import PROPERTIES, write_ply

    path = tmp_path / "other.ply"
    write_ply(path, cloud(50), "ply-full" if extra == "sharp" else "ply")
    if extra == "f_rest":
        vertex = PlyData.read(str(path))["vertex"].data
        table = np.zeros(
            50, [(name, "f4") for name in (*PROPERTIES[:6], *(f"f_rest_{i}" for i in range(45)), *PROPERTIES[6:])]
        )
        for name in PROPERTIES:
            table[name] = vertex[name]
        PlyData([PlyElement.describe(table, "vertex")]).write(str(path))
    built = load(addon, session, path)
    assert built.root.image_to_3d.outcome.points == 50


def test_dropping_takes_every_kind_of_file(addon) -> None:
    handler = addon.splat_files.operators.IMAGE_TO_3D_FH_splats
    assert handler.bl_file_extensions == ".ply;.splat;.spz"
    assert handler.bl_import_operator == "image_to_3d.import_splats"
