"""Measuring: what is stored comes back, in the camera frame and in metres."""

from __future__ import annotations

import json

import numpy as np
import pytest

from paths import SAMPLE

bpy = pytest.importorskip("bpy", reason="needs the bpy module of a real Blender")


TRUTH = json.loads((SAMPLE / "truth.json").read_text())


def analysed(panel, addon, root):
    """The analysis of a root, waited for."""
    found = []
    addon.measuring.analysis.request(root, found.append)
    panel.session.wait(60)
    return found[0]


def test_the_points_come_back_as_the_picture_they_were_made_from(panel, addon) -> None:
    from image_to_3d.core.lengths.measuring import distance, point_at

    panel.choose_sample()
    panel.recipe.density = "QUARTER"
    built = panel.generate()
    stored = addon.measuring.stored_cloud.read(built.root, everything=True)
    cloud = stored.cloud()
    assert len(cloud) == built.root.image_to_3d.outcome.points
    np.testing.assert_array_equal(cloud.cells(), stored.picture.cells)
    grid = stored.grid()
    assert np.nanmedian(np.abs(grid.depth - cloud.depth_image())) == 0
    door = next(length for length in TRUTH["measurements"] if length["name"] == "door_height")
    a, b = (point_at(grid, uv) for uv in door["uv"])
    assert distance(a, b)[0] == pytest.approx(door["length_m"], rel=0.002)


def test_the_two_frames_lead_into_each_other(panel, addon) -> None:
    cloud = addon.measuring.stored_cloud
    bpy.context.scene.unit_settings.scale_length = 0.01
    panel.choose_sample()
    root = panel.generate().root
    root.location, root.rotation_euler, root.scale = (1, 2, 3), (0.3, 0.2, 0.1), (2, 2, 2)
    bpy.context.view_layer.update()
    points = np.random.default_rng(0).normal(size=(20, 3))
    np.testing.assert_allclose(cloud.to_camera_frame(root, cloud.to_world(root, points)), points, atol=1e-5)
    assert cloud.world_scale(root, bpy.context.scene) == pytest.approx(2.0)
    np.testing.assert_allclose(cloud.to_world(root, np.zeros(3)), (1, 2, 3), atol=1e-6)


def test_the_picture_tells_planes_and_gravity_once(panel, addon) -> None:
    panel.choose_sample()
    root = panel.generate().root
    assert addon.measuring.analysis.known(root) is None
    found = analysed(panel, addon, root)
    assert (found.gravity.pitch_deg, found.gravity.roll_deg) == pytest.approx((-6.0, -1.5), abs=0.05)
    assert addon.measuring.analysis.known(root) is found


def test_a_scale_says_what_it_rests_on(panel, addon) -> None:
    panel.choose_sample()
    root = panel.generate().root
    scale = addon.measuring.scale.scale_of_photo(root, bpy.context.scene)
    assert (scale.state, scale.factor, scale.relative_sd) == ("engine", pytest.approx(1.0), 0.03)
    root.scale = (1.0, 2.0, 1.0)
    bpy.context.view_layer.update()
    from image_to_3d.core import ImageTo3DError

    with pytest.raises(ImageTo3DError, match="unevenly"):
        addon.measuring.scale.scale_of_photo(root, bpy.context.scene)


DELETED = "have been deleted"


def test_without_points_every_tool_says_so(panel, addon, sample_root) -> None:
    """The surface is still there to be clicked on."""
    from mathutils import Vector

    from named_lengths import places

    ends = places(addon, sample_root, "door_height")
    mesh = addon.scene.roles.surface_of(sample_root).data
    bpy.data.objects.remove(addon.scene.roles.points_of(sample_root))
    bpy.context.view_layer.objects.active = sample_root
    bpy.context.view_layer.update()
    assert addon.measuring.picking.hit(sample_root, Vector(), Vector((0, 1, -0.1))) is not None
    for vertex in mesh.vertices:
        vertex.select = vertex.index < 500
    operators = bpy.ops.image_to_3d
    for press in (
        lambda: operators.laser(points=ends[:3]),
        lambda: operators.measure_length(points=ends),
        lambda: operators.measure_room(),
        lambda: operators.calibrate(points=ends, length=2.0),
        lambda: operators.uncalibrate(),
        lambda: operators.level(),
        lambda: operators.level_points(points=(*ends, 0, 1, 0)),
        lambda: operators.report_plane(by="VERTICES"),
        lambda: operators.report_plane(outline="395,470 470,476 470,494 390,488"),
        lambda: operators.refresh_planes(),
        lambda: operators.refresh_dimensions(),
    ):
        panel.session.failure = None
        assert press() == {"CANCELLED"} and DELETED in str(panel.session.failure)
    assert operators.remove_plane() == {"FINISHED"}


def test_points_that_are_deleted_before_a_result_comes_are_no_mistake(panel, addon, sample_root) -> None:
    """The planes are known, so that the result is only a step away."""
    analysed(panel, addon, sample_root)
    for press in (
        lambda: bpy.ops.image_to_3d.uncalibrate(),
        lambda: bpy.ops.image_to_3d.level(),
        lambda: bpy.ops.image_to_3d.report_plane(outline="395,470 470,476 470,494 390,488"),
    ):
        bpy.ops.ed.undo_push(message="Before")
        panel.session.failure = None
        assert press() == {"FINISHED"}
        for obj in list(sample_root.children):
            if obj.image_to_3d.role in {"POINTS", "SURFACE"}:
                obj.image_to_3d.role = "NONE"
        panel.finish(60)
        assert panel.session.failure is None
        for obj in sample_root.children:
            if obj.type in {"POINTCLOUD", "MESH"}:
                obj.image_to_3d.role = "POINTS" if obj.name.endswith("Points") else "SURFACE"


def test_a_photo_that_is_renamed_before_its_result_comes_gets_it(panel, addon, sample_root) -> None:
    from named_lengths import places

    ends = places(addon, sample_root, "door_height")
    for press, arrived in (
        (lambda: bpy.ops.image_to_3d.measure_length(points=ends), lambda: len(sample_root.children) > 3),
        (
            lambda: bpy.ops.image_to_3d.calibrate(points=ends, length=2.1),
            lambda: sample_root.image_to_3d.calibration.calibrated,
        ),
        (lambda: bpy.ops.image_to_3d.uncalibrate(), lambda: not sample_root.image_to_3d.calibration.calibrated),
        (lambda: bpy.ops.image_to_3d.level(), lambda: sample_root.image_to_3d.levelling.levelled),
    ):
        assert not arrived() and press() == {"FINISHED"}
        sample_root.name, bpy.context.scene.name = sample_root.name + "!", bpy.context.scene.name + "!"
        bpy.data.objects.new(sample_root.name[:-1], None)  # another takes the old name
        panel.session.wait(60)
        assert arrived()


@pytest.mark.parametrize("deleted", [False, True])
def test_points_that_are_made_anew_while_they_are_shifted_are_calibrated_too(
    panel, addon, sample_root, monkeypatch, deleted
) -> None:
    from image_to_3d.core.lengths.calibration import Scale
    from image_to_3d.core.lengths.known_lengths import Solution

    logic, anchor = addon.measuring.calibration.logic, addon.measuring.calibration.logic.anchor
    found = analysed(panel, addon, sample_root)
    solution = Solution(Scale("calibrated", 0.01, 0.0, 1.1), 0.01)
    monkeypatch.setattr(logic, "solve_on", lambda *_: solution)
    ends = [anchor(found.grid, found.grid.points[row, 20]) for row in (20, 30)]
    known = (logic.AnchoredLength(*ends, 1.0),)
    logic.calibrate(sample_root, bpy.context.scene, found, known)
    points = addon.scene.roles.points_of(sample_root)
    if deleted:
        bpy.data.objects.remove(points)
    else:
        points.data = points.data.copy()
    panel.finish(60)
    calibration = sample_root.image_to_3d.calibration
    assert calibration.calibrated != deleted and len(calibration.known) == (0 if deleted else 1)
    assert calibration.bend == pytest.approx(0 if deleted else 0.01)
    assert (DELETED in str(panel.session.failure)) == deleted


def test_the_last_result_is_shown_whatever_it_is_called(panel, addon, sample_root) -> None:
    bpy.context.view_layer.objects.active = None
    sample_root.name = "Another"
    sample_root.copy().name = "Photo"
    assert addon.scene.active.shown_root(bpy.context) == sample_root


def test_a_photo_is_told_from_a_linked_one_of_the_same_name(addon, sample_root, tmp_path) -> None:
    path = tmp_path / "other.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True)
    with bpy.data.libraries.load(str(path), link=True) as (_, wanted):
        wanted.objects = [sample_root.name]
    (linked,) = wanted.objects
    assert linked.library is not None and linked.name == sample_root.name
    find = addon.runtime.session_uids.find
    for root in (linked, sample_root):
        assert find(bpy.data.objects, root.session_uid) == root
    assert find(bpy.data.objects, 0) is None


@pytest.fixture
def soon(addon, monkeypatch) -> list:
    """What the panel has asked for, to be done when the test says so: the bpy module has no timers."""
    asked: list = []
    monkeypatch.setattr(addon.measuring.analysis, "_soon", asked.append)
    return asked


def test_a_panel_asks_once_and_gets_its_answer(panel, addon, sample_root, soon) -> None:
    analysis = addon.measuring.analysis
    for _ in range(3):
        analysis.prefetch(sample_root)
    for begin in soon:
        begin()
    analysis.prefetch(sample_root)
    assert len(soon) == 3 and len(panel.session.of(analysis.Analyses)._waiting) == 1
    panel.session.wait(60)
    assert analysis.known(sample_root) is not None
    analysis.prefetch(sample_root)
    assert len(soon) == 3


def test_a_photo_whose_analysis_fails_is_tried_again(panel, addon, sample_root, soon, monkeypatch) -> None:
    analysis = addon.measuring.analysis

    def fails(*_):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(analysis, "analyse", fails)
        analysis.prefetch(sample_root)
        soon.pop()()
        panel.finish(60)
    assert "not enough memory" in str(panel.session.failure)
    analysis.prefetch(sample_root)
    assert not soon, "not at every redraw"
    monkeypatch.setattr(analysis, "_PAUSE_SECONDS", 0.0)
    analysis.prefetch(sample_root)
    soon.pop()()
    panel.session.failure = None
    panel.session.wait(60)
    assert analysis.known(sample_root) is not None


def test_a_photo_that_could_not_be_read_is_tried_again(panel, addon, sample_root, soon, monkeypatch) -> None:
    from image_to_3d.core import ErrorCode, ImageTo3DError

    analysis = addon.measuring.analysis

    def refuses(*_):
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "plain", message="Not now.", hint="")

    with monkeypatch.context() as patch:
        patch.setattr(analysis.stored_cloud, "read", refuses)
        analysis.prefetch(sample_root)
        soon.pop()()
    monkeypatch.setattr(analysis, "_PAUSE_SECONDS", 0.0)
    analysis.prefetch(sample_root)
    soon.pop()()
    panel.session.wait(60)
    assert analysis.known(sample_root) is not None


def test_everybody_who_asks_gets_the_answer_that_is_on_its_way(panel, addon, sample_root) -> None:
    answers: list = []

    def stumbles(_) -> None:
        raise ValueError

    for then in (answers.append, stumbles, answers.append):
        addon.measuring.analysis.request(sample_root, then)
    panel.finish(60)
    assert len(answers) == 2 and answers[0] is answers[1]
    assert "ValueError" in str(panel.session.failure)
