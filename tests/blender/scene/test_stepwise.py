"""A result is put into the scene in steps: the window has its turn in between, and whatever happens there does no harm."""

from __future__ import annotations

import numpy as np
import pytest

from paths import SAMPLE

bpy = pytest.importorskip("bpy", reason="needs the bpy module of a real Blender")

KINDS = ("objects", "collections", "meshes", "cameras", "materials", "pointclouds", "images")


def contents() -> dict[str, set[str]]:
    return {kind: set(getattr(bpy.data, kind).keys()) for kind in KINDS}


def arrived(addon):
    """A photo whose result has just come: a wall of 12 × 16 points."""
    from image_to_3d.core import GaussianCloud, Intrinsics
    from image_to_3d.core.cloud.gaussians import Grid
    from image_to_3d.protocol.messages import Result, cloud_fields

    rows, cols = 12, 16
    intrinsics = Intrinsics.centred(20, cols, rows)
    u, v = np.meshgrid(np.arange(cols) + 0.5, np.arange(rows) + 0.5)
    cloud = GaussianCloud(
        positions=intrinsics.unproject(np.stack([u, v], -1), np.full((rows, cols), 3.0)).reshape(-1, 3),
        scales=np.full((rows * cols, 3), 0.05),
        rotations=np.tile([1.0, 0, 0, 0], (rows * cols, 1)),
        colours=np.full((rows * cols, 3), 0.5),
        opacities=np.full(rows * cols, 0.9),
        intrinsics=intrinsics,
        grid=Grid(1, rows, cols),
    )
    recipe = addon.scene.recipe.values(bpy.context.scene.image_to_3d.recipe)
    source = addon.scene.photo_source.PhotoSource("wall.jpg", path=SAMPLE / "photo.jpg")
    job = addon.photos.job.PhotoJob(recipe, bpy.context.scene.session_uid, 1.0, source)
    job.stage, job.prepared = "build", job.prepare(Result(**cloud_fields(cloud)))
    return job


@pytest.fixture
def half_built(panel_without_backend, addon, monkeypatch):
    """A photo some steps on its way into the scene."""
    panel = panel_without_backend
    monkeypatch.setattr(addon.runtime.main_thread, "TIME_SLICE_S", 0.0)
    bpy.data.objects["Cube"].location.x = 1
    bpy.ops.ed.undo_push(message="Move")
    panel.session.job = arrived(addon)
    for _ in range(4):
        panel.session.pump()
    assert panel.session.job is not None and panel.session.sliced.busy
    return panel


def test_nothing_is_seen_before_everything_is_there(half_built) -> None:
    panel, steps = half_built, 0
    before = set(bpy.data.objects.keys())
    while panel.session.job is not None:
        assert set(bpy.data.objects.keys()) == before
        panel.session.pump()
        steps += 1
    least = (
        3 if "resize" in bpy.types.PointCloud.bl_rna.functions else 1
    )  # else points are made in one go, by conversion
    assert steps >= least and len(bpy.data.objects) == len(before) + 4
    panel.finish()
    bpy.ops.ed.undo()
    assert set(bpy.data.objects.keys()) == before, "one undo step for all of it"


def test_undo_in_between_starts_it_over(half_built) -> None:
    bpy.ops.ed.undo()
    half_built.finish()
    assert half_built.session.failure is None
    built = half_built.package.scene.roles.find(bpy.data.objects[half_built.session.last_root])
    assert len(built.points.data.attributes["opacity"].data) == built.root.image_to_3d.outcome.points
    assert len([mesh for mesh in bpy.data.meshes if mesh.name.startswith("Surface")]) == 0


def test_cancel_in_between_leaves_nothing(half_built) -> None:
    assert bpy.ops.image_to_3d.cancel() == {"FINISHED"}
    half_built.finish()
    left = contents()
    assert (
        left["pointclouds"] == set() and left["meshes"] == {"Cube"} and left["objects"] == {"Camera", "Cube", "Light"}
    )


def test_a_new_file_in_between_leaves_nothing(half_built) -> None:
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    half_built.finish()
    left = contents()
    assert left["pointclouds"] == set() and left["objects"] == {"Camera", "Cube", "Light"}


def test_another_mode_in_between_makes_it_wait(half_built) -> None:
    bpy.context.view_layer.objects.active = bpy.data.objects["Cube"]
    bpy.ops.object.mode_set(mode="EDIT")
    for _ in range(50):
        half_built.session.pump()
    assert half_built.session.job is not None
    bpy.ops.object.mode_set(mode="OBJECT")
    half_built.finish()
    assert half_built.session.failure is None and half_built.session.last_root in bpy.data.objects


def test_work_that_loses_what_it_made_starts_over_but_not_for_ever(addon) -> None:
    begun = []

    def steps(losses: int):
        begun.append(1)
        yield
        if len(begun) <= losses:
            raise ReferenceError
        yield

    stepwise = addon.runtime.main_thread.SlicedRunner()
    stepwise.run(lambda: steps(2), pytest.fail)
    while stepwise.busy:
        stepwise.pump()
    assert len(begun) == 3
    begun.clear()
    told = []
    stepwise.run(lambda: steps(100), told.append)
    while stepwise.busy:
        stepwise.pump()
    assert len(told) == 1


def test_a_mistake_while_building_fails_the_photo_with_a_sentence_and_the_next_one_comes(
    half_built, addon, monkeypatch, caplog
) -> None:
    session, built = half_built.session, addon.scene.build.place
    following = arrived(addon)
    session.waiting.append(following)
    monkeypatch.setattr(session.queue, "_start", lambda job: setattr(session, "job", job))

    def broken_once(*arguments):
        monkeypatch.setattr(addon.scene.build, "place", built)
        raise RuntimeError("context is incorrect")

    monkeypatch.setattr(addon.scene.build, "place", broken_once)
    half_built.finish()
    (failed,) = session.failed
    assert failed.failure is session.failure and failed is not following
    assert "RuntimeError: context is incorrect." in str(session.failure)
    assert "broken_once" in caplog.text, "the traceback is logged"
    assert session.job is None and session.last_root in bpy.data.objects


def test_a_photo_comes_into_its_scene_also_when_that_is_renamed(half_built) -> None:
    wanted = bpy.context.scene
    wanted.name = "Another name"
    bpy.context.window.scene = bpy.data.scenes.new("Scene")
    half_built.finish()
    assert half_built.session.last_root in wanted.objects
    assert half_built.session.last_root not in bpy.context.scene.objects


@pytest.mark.parametrize("where", ["another scene", "excluded", "hidden"])
def test_points_come_also_where_nobody_looks(panel_without_backend, addon, where: str) -> None:
    session, scene = panel_without_backend.session, bpy.context.scene
    session.job = arrived(addon)
    panel_without_backend.finish()
    root = scene.objects[session.last_root]
    session.job = arrived(addon)
    session.job.root = root.session_uid
    if where == "another scene":
        bpy.context.window.scene = bpy.data.scenes.new("Other")
    else:
        shown = bpy.context.view_layer.layer_collection.children[root.users_collection[0].name]
        setattr(shown, "exclude" if where == "excluded" else "hide_viewport", True)
    before = set(bpy.data.collections)
    panel_without_backend.finish()
    assert session.failure is None and session.last_root == root.name
    points = addon.scene.roles.find(root).points
    assert len(points.data.attributes["opacity"].data) == 192 and set(bpy.data.collections) == before
    assert points.users_collection == root.users_collection
    assert points.type == ("POINTCLOUD" if addon.scene.points.can_convert() else "MESH")


def test_failures_are_told_once(addon) -> None:
    from image_to_3d.core import ErrorCode, ImageTo3DError

    told = []

    def steps():
        yield
        raise ImageTo3DError(ErrorCode.INTERNAL, "plain", message="It broke.", hint="")

    stepwise = addon.runtime.main_thread.SlicedRunner()
    stepwise.run(steps, told.append)
    while stepwise.busy:
        stepwise.pump()
    assert [str(error) for error in told] == ["It broke."]
