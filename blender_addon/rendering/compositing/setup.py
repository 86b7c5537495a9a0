"""The scenes, shadow catchers, light and compositor of a final picture: made and removed as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bpy
import numpy as np
from bpy.app.handlers import persistent

from image_to_3d.blender.room_light import room_light
from image_to_3d.core import ErrorCode, ImageTo3DError

from ...runtime.objects import of
from ...runtime.pump import Pump
from ...scene import display, roles
from ...scene import points as pointcloud
from ..engine import ENGINE
from . import light, shadow_catcher
from . import nodes as compositor

FIRST_VERSION = (4, 5, 0)
CATCHER, LIGHT = "CATCHER", "LIGHT"


def is_set_up(scene: bpy.types.Scene) -> bool:
    """Whether a plain F12 gives objects and splats together."""
    return scene.image_to_3d.final.splats is not None


def set_up(scene: bpy.types.Scene) -> None:
    """Make everything that a final picture needs; again: for photos that came since.

    Raises:
        ImageTo3DError: ``bad_request``: Blender is too old, the scene shows no photo, or it is itself one of the splats.
    """
    _check(scene)
    final = scene.image_to_3d.final
    chosen = scene.render.engine
    before = (final.engine, final.transparent) if is_set_up(scene) else (chosen, scene.render.film_transparent)
    remove(scene)
    final.engine, final.transparent = before
    scene.render.engine = chosen
    if scene.render.engine not in {"CYCLES", "BLENDER_EEVEE", "BLENDER_EEVEE_NEXT"}:
        scene.render.engine = "CYCLES"
    scene.render.film_transparent = True
    view_layer = scene.view_layers[0]
    view_layer.use_pass_z = True
    view_layer.cycles.use_pass_shadow_catcher = True

    splats = bpy.data.scenes.new(f"{scene.name} Splats")
    splats.render.engine = ENGINE
    splats.image_to_3d.final.objects = scene
    final.splats = splats
    for root in roots(scene):
        for obj in (root, *root.children_recursive):
            splats.collection.objects.link(obj)
        _add_catcher(root, root.users_collection[0])
        display.apply(root)
    lamp = _add_light(scene)
    if scene.render.engine != "CYCLES":
        light.make(scene, roots(scene), [lamp])
    light.sync(splats)
    match(scene)
    _compose(scene, splats)


def _check(scene: bpy.types.Scene) -> None:
    if bpy.app.version < FIRST_VERSION:
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "rendering.blender_too_old")
    if scene.image_to_3d.final.objects is not None:
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "rendering.splats_scene", scene_name=scene.name)
    if not any(True for _ in roots(scene)):
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "rendering.no_photo_shown")


def roots(scene: bpy.types.Scene) -> Iterator[bpy.types.Object]:
    """Photos of a scene."""
    for obj in scene.objects:
        if obj.image_to_3d.role == "ROOT" and any(child.image_to_3d.role == "POINTS" for child in obj.children):
            yield obj


def remove(scene: bpy.types.Scene) -> None:
    """Take back what :func:`set_up` did; nothing happens where it did nothing."""
    final = scene.image_to_3d.final
    _decompose(scene)
    light.remove(scene)
    if final.splats is not None:
        for lamp in _lamps(scene):
            lamp.is_shadow_catcher = True  # Blender's own choice
        bpy.data.scenes.remove(final.splats)
        scene.render.film_transparent = final.transparent
        if final.engine:
            scene.render.engine = final.engine
    for root in list(roots(scene)):
        for child in list(root.children):
            if child.image_to_3d.role == CATCHER:
                bpy.data.objects.remove(child)
            elif child.image_to_3d.role == LIGHT:
                bpy.data.lights.remove(child.data)
        display.apply(root)
    for name in ("splats", "light", "engine", "transparent", "tree", "nodes", "ending"):
        final.property_unset(name)


def _add_catcher(root: bpy.types.Object, collection: bpy.types.Collection) -> None:
    """The grey surface, seen by renders only."""
    surface = shadow_catcher.surface_of(root)
    if surface is None:
        return
    catcher = shadow_catcher.make(root, surface, f"{root.name} Shadow Catcher")
    catcher.image_to_3d.role = CATCHER
    collection.objects.link(catcher)
    catcher.hide_viewport = catcher.hide_select = True
    catcher.is_shadow_catcher = True


def _add_light(scene: bpy.types.Scene) -> bpy.types.Object:
    """One lamp below the ceiling that stands for the light in the photo: furniture is seen by it and casts its shadow.

    As a shadow catcher it counts as part of the photo, so it does not brighten what the photo shows already; lamps that people
    add do.
    """
    root = next(iter(roots(scene)))
    points = roles.find(root).points
    matrix = np.array(root.matrix_world @ points.matrix_local)
    positions = pointcloud.read(points, "position")[::97] @ matrix[:3, :3].T + matrix[:3, 3]
    found = room_light(positions)
    lamp = bpy.data.lights.new(f"{root.name} Room Light", "AREA")
    lamp.shape = "SQUARE"
    lamp.size, lamp.energy = found.size, found.energy
    made = bpy.data.objects.new(lamp.name, lamp)
    made.image_to_3d.role = LIGHT
    root.users_collection[0].objects.link(made)
    made.parent = root
    made.matrix_parent_inverse = root.matrix_world.inverted_safe()
    made.location = found.place
    made.is_shadow_catcher = True
    return made


# --- keeping both scenes alike ---------------------------------------------------------------------------------------

_SHARED = (
    "resolution_x",
    "resolution_y",
    "resolution_percentage",
    "pixel_aspect_x",
    "pixel_aspect_y",
    "use_border",
    "use_crop_to_border",
    "border_min_x",
    "border_max_x",
    "border_min_y",
    "border_max_y",
    "fps",
    "fps_base",
)


def match(scene: bpy.types.Scene) -> None:
    """Give the added scenes the camera and the picture of the objects' scene; writes only what differs.

    Lamps that people added brighten the photo: Blender makes every lamp a shadow catcher, which says that its light is in the
    photo already. Room lights, and copies of them, are.
    """
    splats = scene.image_to_3d.final.splats
    if splats is None:
        return
    for other in filter(None, (splats, scene.image_to_3d.final.light)):
        _set(other, "camera", scene.camera)
        for name in _SHARED:
            _set(other.render, name, getattr(scene.render, name))
        _set(other.render, "film_transparent", True)
        _set(other.unit_settings, "scale_length", scene.unit_settings.scale_length)
    light.match(scene)
    _set(splats.image_to_3d.render, "eps2d", scene.image_to_3d.render.eps2d)
    for lamp in _lamps(scene):
        _set(lamp, "is_shadow_catcher", False)
    for root in roots(scene):
        for child in root.children:
            if child.image_to_3d.role == CATCHER:
                _set(child, "is_holdout", scene.render.engine != "CYCLES")  # EEVEE knows no shadow catchers
                shadow_catcher.follow(child)


def _lamps(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """Those that people added."""
    return [obj for obj in scene.objects if obj.type == "LIGHT" and obj.image_to_3d.role != LIGHT]


def _set(owner: Any, name: str, value: Any) -> None:
    if getattr(owner, name) != value:
        setattr(owner, name, value)


@persistent
def _before_render(scene: bpy.types.Scene, *_: Any) -> None:
    match(scene)


@persistent
def _on_update(scene: bpy.types.Scene, *_: Any) -> None:
    if scene.image_to_3d.final.light is not None:
        of(LightFollower).wake()


class LightFollower:
    """Has the scenes of light follow what changes, soon: linking objects while Blender updates them would end it."""

    def __init__(self) -> None:
        of(Pump).add(follow)

    def wake(self) -> None:
        """Something has changed."""
        of(Pump).wake(follow)

    def close(self) -> None:
        """No longer follow."""
        of(Pump).remove(follow)


def follow() -> None:
    """Have all scenes of light show what the scenes of objects show now; for scripts, which have no timers, too."""
    if not bpy.app.is_job_running("RENDER"):
        for scene in bpy.data.scenes:
            light.follow(scene)


HANDLERS = (("render_init", _before_render), ("render_pre", _before_render), ("depsgraph_update_post", _on_update))


# --- compositor ------------------------------------------------------------------------------------------------------


def _compose(scene: bpy.types.Scene, splats: bpy.types.Scene) -> None:
    final = scene.image_to_3d.final
    layers = compositor.Layers(scene, scene.view_layers[0].name, splats, final.light)
    if hasattr(scene, "compositing_node_group"):
        final.tree = scene.compositing_node_group
        scene.compositing_node_group = bpy.data.node_groups.new(compositor.NAME, "CompositorNodeTree")
        compositor.build(layers, scene.compositing_node_group)
    else:
        final.nodes = scene.use_nodes
        scene.use_nodes = True
        ends = [node for node in scene.node_tree.nodes if node.type == "COMPOSITE"]
        final.ending = next((node.name for node in ends if node == scene.node_tree.nodes.active), "")
        compositor.build(layers, scene.node_tree)
    scene.render.use_compositing = True


def _decompose(scene: bpy.types.Scene) -> None:
    final = scene.image_to_3d.final
    if final.splats is None:
        return
    if hasattr(scene, "compositing_node_group"):
        ours = scene.compositing_node_group
        if ours is not None and ours.name.startswith(compositor.NAME):
            scene.compositing_node_group = final.tree
            if ours.users == 0:
                bpy.data.node_groups.remove(ours)
    elif scene.node_tree is not None:
        compositor.clear(scene.node_tree)
        before = scene.node_tree.nodes.get(final.ending)
        if before is not None:
            scene.node_tree.nodes.active = before
        scene.use_nodes = final.nodes
