"""Plane reports: figures, heat map, table."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from paths import SAMPLE

bpy = pytest.importorskip("bpy", reason="needs the bpy module of a real Blender")


TRUTH = json.loads((SAMPLE / "truth.json").read_text())
TABLE = "395,470 470,476 470,494 390,488"  # on the top of the table
DOOR = "45,200 135,208 135,460 45,480"


@pytest.fixture
def root(sample_root):
    return sample_root


def report(panel, **arguments) -> None:
    assert bpy.ops.image_to_3d.report_plane(**arguments) == {"FINISHED"}
    panel.session.wait(200)


def refused(panel, **arguments) -> str:
    panel.session.failure = None
    bpy.ops.image_to_3d.report_plane(**arguments)
    panel.finish(200)
    return str(panel.session.failure)


def test_a_marked_door_is_upright_and_faces_east(panel, addon, root) -> None:
    inspection = root.image_to_3d.inspection
    report(panel, outline=DOOR)
    (entry,) = inspection.planes
    assert entry.tilt_deg == pytest.approx(90, abs=0.3) and entry.tilt_low_deg < 90 < entry.tilt_high_deg
    assert not entry.has_azimuth
    assert 0 < entry.rms_m < 0.01 and entry.area_m2 > 0.5 and entry.points > 1000
    inspection.north_by_hand, inspection.heading = True, np.radians(TRUTH["camera"]["heading_deg_cw_from_north"])
    assert entry.has_azimuth and entry.azimuth_deg == pytest.approx(90, abs=0.5), "the wall in the west faces east"
    root.image_to_3d.outcome.heading_deg = 258.0
    inspection.north_by_hand = False
    assert entry.azimuth_deg == pytest.approx(0, abs=0.3) or entry.azimuth_deg == pytest.approx(360, abs=0.5)
    root.scale = (2, 2, 2)
    area = entry.area_m2
    assert bpy.ops.image_to_3d.refresh_planes() == {"FINISHED"}
    panel.session.wait(200)
    assert entry.area_m2 == pytest.approx(4 * area, rel=1e-3) and entry.tilt_deg == pytest.approx(90, abs=0.3)


def test_selected_vertices_mark_a_region(panel, addon, root) -> None:
    built = addon.scene.roles.find(root)
    mesh = built.surface.data
    k = addon.measuring.stored_cloud.intrinsics(root)
    flat = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", flat)
    from image_to_3d.core.cameras.axes import points_to_opencv

    pixels = k.project(points_to_opencv(flat.reshape(-1, 3).astype(float)))
    assert "No region is marked" in refused(panel, by="VERTICES")
    inside = ((pixels > (50, 210)) & (pixels < (130, 455))).all(axis=1)
    mesh.vertices.foreach_set("select", inside)
    report(panel, by="VERTICES")
    (entry,) = root.image_to_3d.inspection.planes
    assert entry.tilt_deg == pytest.approx(90, abs=0.3)
    assert entry.points > 0.7 * np.count_nonzero(inside), "the cells between its vertices count as well"
    assert bpy.ops.image_to_3d.refresh_planes() == {"FINISHED"}
    panel.session.wait(200)
    assert entry.tilt_deg == pytest.approx(90, abs=0.3)


@pytest.mark.skipif(bpy.app.version < (5, 2, 0), reason="in 5.0 and before a script cannot draw annotations")
def test_annotations_mark_regions(panel, addon, root) -> None:
    assert "No region is marked" in refused(panel, by="ANNOTATION")
    _annotate(root, addon, addon.measuring.stored_cloud.intrinsics(root), DOOR)
    report(panel, by="ANNOTATION")
    (entry,) = root.image_to_3d.inspection.planes
    assert entry.tilt_deg == pytest.approx(90, abs=0.3)


def _annotate(root, addon, k, outline: str) -> None:
    """What drawing an annotation around the door on the surface leaves."""
    uv = np.array([[float(x) for x in pair.split(",")] for pair in outline.split()])
    places = addon.measuring.stored_cloud.to_world(root, k.unproject(uv, np.full(len(uv), 4.2)))
    bpy.context.scene.annotation = sheet = bpy.data.annotations.new("Notes")
    stroke = sheet.layers.new("Notes").frames.new(1).strokes.new()
    stroke.display_mode = "3DSPACE"
    stroke.points.add(len(places))
    for point, place in zip(stroke.points, places, strict=True):
        point.co = place


def test_the_heat_map_colours_the_region_and_goes_away_again(panel, addon, root) -> None:
    points = addon.scene.roles.find(root).points
    pointcloud = addon.scene.points
    before = {attribute.name for attribute in points.data.attributes}
    colours = pointcloud.read(points, "colour")
    report(panel, outline=DOOR)
    inspection = root.image_to_3d.inspection
    inspection.heat_map = True
    deviation = pointcloud.read(points, "deviation")
    marked = deviation != 0
    assert 0.005 < marked.mean() < 0.2
    assert np.abs(deviation).max() == pytest.approx(inspection.planes[0].largest_m, abs=0.1)
    assert np.sqrt(np.mean(deviation[marked] ** 2)) < 0.05
    shown = pointcloud.read(points, "deviation_colour")
    np.testing.assert_array_equal(shown[~marked], colours[~marked])
    assert np.abs(shown[marked] - colours[marked]).max() > 0.2
    assert points.data.materials[0].name == "Image to 3D Deviation"
    np.testing.assert_array_equal(pointcloud.read(points, "colour"), colours)
    inspection.heat_range = 0.5
    assert np.ptp(pointcloud.read(points, "deviation_colour")[marked][:, 0]) < np.ptp(shown[marked][:, 0]) + 1e-6
    inspection.heat_map = False
    assert {attribute.name for attribute in points.data.attributes} == before
    assert points.data.materials[0].name == "Image to 3D Points"


def test_several_panels_make_a_table(panel, addon, root, tmp_path) -> None:
    assert bpy.ops.image_to_3d.export_planes(filepath=str(tmp_path / "none.csv")) == {"CANCELLED"}
    report(panel, outline=DOOR)
    report(panel, outline=TABLE)
    inspection = root.image_to_3d.inspection
    assert [entry.name for entry in inspection.planes] == ["Plane 1", "Plane 2"]
    assert inspection.planes[1].tilt_deg == pytest.approx(0, abs=0.5)
    inspection.planes[0].name = '=Door; "left"'
    path = tmp_path / "planes.csv"
    assert bpy.ops.image_to_3d.export_planes(filepath=str(path)) == {"FINISHED"}
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["name"] for row in rows] == ['\'=Door; "left"', "Plane 2"]
    assert float(rows[0]["tilt_deg"]) == pytest.approx(inspection.planes[0].tilt_deg, abs=1e-3)
    assert rows[0]["azimuth_deg"] == "" and rows[0]["photo"] == "photo.jpg" and rows[0]["scale_state"] == "engine"
    assert list(tmp_path.iterdir()) == [path]
    assert bpy.ops.image_to_3d.export_planes(filepath=str(tmp_path / "planes.csv" / "x.csv")) == {"CANCELLED"}
    assert "cannot be written" in panel.session.failure.message
    assert bpy.ops.image_to_3d.remove_plane(index=0) == {"FINISHED"}
    assert [entry.name for entry in inspection.planes] == ["Plane 2"]


@pytest.mark.parametrize(
    ("outline", "sentence"),
    [("10,10 20,20", "three corners"), ("a,b c,d", "no list of pixels"), ("0,0 2,0 2,2 0,2", "No plane can be fitted")],
)
def test_regions_without_a_plane_are_refused(panel, addon, root, outline, sentence) -> None:
    assert sentence in refused(panel, outline=outline)
    assert not root.image_to_3d.inspection.planes
