"""The surface mesh: what snapping and Blender's Ruler find."""

from __future__ import annotations

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="needs the bpy module of a real Blender")


def test_rays_hit_the_surface_where_the_points_are(panel, addon) -> None:
    from mathutils import Vector

    panel.choose_sample()
    built = panel.generate()
    bpy.context.view_layer.update()
    bpy.data.objects["Cube"].hide_viewport = True
    depsgraph = bpy.context.evaluated_depsgraph_get()
    positions = addon.scene.points.read(built.points, "position")
    gaps, hits = [], 0
    chosen = positions[np.random.default_rng(0).integers(0, len(positions), 400)]
    for point in chosen:
        hit, where, _, _, obj, _ = bpy.context.scene.ray_cast(depsgraph, Vector((0, 0, 0)), Vector(point).normalized())
        if hit:
            hits += 1
            assert obj == built.surface
            gaps.append((where - Vector(point)).length * 3 / Vector(point).length)
    assert hits > 0.8 * len(chosen)
    assert np.median(gaps) <= 0.005, "at 3 m"


def test_no_face_bridges_a_depth_edge(panel) -> None:
    panel.choose_sample()
    mesh = panel.generate().surface.data
    vertices = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", vertices)
    corners = np.empty(len(mesh.loops), np.int32)
    mesh.loops.foreach_get("vertex_index", corners)
    depth = vertices.reshape(-1, 3)[:, 1][corners.reshape(-1, 4)]
    assert (depth.max(1) <= 1.25 * depth.min(1) + 1e-4).all()
    assert 50_000 < len(mesh.vertices) <= 200_000 and not mesh.validate()


def test_it_is_seen_in_viewports_and_not_in_renders(panel) -> None:
    panel.choose_sample()
    surface = panel.generate().surface
    assert surface.hide_render and surface.visible_get()


def test_uvs_show_each_vertex_its_pixel_of_the_photo(panel) -> None:
    from bpy_extras.object_utils import world_to_camera_view

    panel.choose_sample()
    built = panel.generate()
    mesh, scene = built.surface.data, bpy.context.scene
    (texture,) = [node for node in mesh.materials[0].node_tree.nodes if node.type == "TEX_IMAGE"]
    assert texture.image.filepath.endswith("photo.jpg")
    for index in np.linspace(0, len(mesh.loops) - 1, 50).astype(int):
        vertex = mesh.vertices[mesh.loops[index].vertex_index]
        x, y, _ = world_to_camera_view(scene, built.camera, vertex.co)
        assert tuple(mesh.uv_layers[0].uv[index].vector) == pytest.approx((x, y), abs=1e-4)


def test_none_is_made_where_none_is_wanted(panel) -> None:
    panel.choose_sample()
    panel.recipe.surface_vertices = 0
    assert panel.generate().surface is None


@pytest.mark.parametrize("flag", range(1, 9))
def test_uvs_of_a_turned_photo_lead_to_the_stored_pixel(flag: int) -> None:
    from image_to_3d.blender.surface import stored_uvs
    from image_to_3d.core.imaging.photo_header import _UPRIGHT

    upright = _UPRIGHT[flag]
    stored = np.arange(12).reshape(3, 4)
    turned = np.rot90(stored[:, ::-1] if upright.mirrored else stored, -upright.quarter_turns)
    rows, cols = turned.shape
    row, col = np.indices(turned.shape).reshape(2, -1)
    uvs = np.stack([(col + 0.5) / cols, 1 - (row + 0.5) / rows], -1).astype(np.float32)
    u, v = stored_uvs(uvs, upright).T
    np.testing.assert_array_equal(stored[((1 - v) * 3).astype(int), (u * 4).astype(int)], turned.ravel())
