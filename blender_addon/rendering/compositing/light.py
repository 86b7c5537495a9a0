"""How much the objects change the light in the photo, for engines that know no shadow catchers.

A scene of its own shows the grey surface of the photo in two view layers: with the objects, which are holes there that cast their
shadows, and without them. The ratio of both is what Cycles' pass *Shadow Catcher* holds (Debevec, "Rendering Synthetic Objects into
Real Scenes", 1998).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import bpy

from ...scene.visible_splats import collections
from . import shadow_catcher

_PHOTO, _OBJECTS = "Photo of the Light", "Objects in the Light"
WITH, WITHOUT = "With Objects", "Without Objects"
_EEVEE = (
    "taa_render_samples",
    "use_shadows",
    "shadow_ray_count",
    "shadow_step_count",
    "light_threshold",
    "use_raytracing",
)
"""Settings of EEVEE that shadows depend on, by their names in all Blenders; each has some of them."""


def make(scene: bpy.types.Scene, roots: Iterable[bpy.types.Object], lamps: Iterable[bpy.types.Object]) -> None:
    """Add the scene.

    Args:
        scene: of the objects.
        roots: of the photos in it.
        lamps: stand for the light in the photos.
    """
    light = bpy.data.scenes.new(f"{scene.name} Light")
    scene.image_to_3d.final.light = light
    light.image_to_3d.final.objects = scene
    photo, objects = (bpy.data.collections.new(f"{scene.name} {what}") for what in (_PHOTO, _OBJECTS))
    for collection in (photo, objects):
        light.collection.children.link(collection)
    shown, bare = light.view_layers[0], light.view_layers.new(WITHOUT)
    shown.name = WITH
    for layer in (shown, bare):
        layer.update()  # before, it does not know the collections
    shown.layer_collection.children[objects.name].holdout = True
    bare.layer_collection.children[objects.name].exclude = True
    for root in roots:
        surface = shadow_catcher.surface_of(root)
        if surface is not None:
            photo.objects.link(shadow_catcher.make(root, surface, f"{root.name} Light Catcher"))
    for lamp in lamps:
        photo.objects.link(lamp)
    follow(scene)


def remove(scene: bpy.types.Scene) -> None:
    """Take it away; nothing happens where there is none."""
    light = scene.image_to_3d.final.light
    if light is None:
        return
    made = [obj for obj in _catchers(light) if obj.users_scene == (light,)]
    holders = list(light.collection.children)
    bpy.data.scenes.remove(light)
    bpy.data.batch_remove([*made, *holders])


def match(scene: bpy.types.Scene) -> None:
    """Give it the engine, the world and the surfaces of the objects' scene; writes only what differs."""
    light = scene.image_to_3d.final.light
    if light is None:
        return
    for name in _EEVEE:
        if hasattr(scene.eevee, name) and getattr(light.eevee, name) != getattr(scene.eevee, name):
            setattr(light.eevee, name, getattr(scene.eevee, name))
    if light.render.engine != scene.render.engine:
        light.render.engine = scene.render.engine
    if light.world != scene.world:
        light.world = scene.world
    for catcher in _catchers(light):
        shadow_catcher.follow(catcher)


def follow(scene: bpy.types.Scene) -> None:
    """Show the objects that the scene shows in renders now. Main thread, not while something is rendered."""
    light = scene.image_to_3d.final.light
    if light is None:
        return
    objects = _part(light, _OBJECTS)
    if objects is None:
        return
    shown = objects.objects
    wanted = set(_objects(scene))
    for obj in set(shown) - wanted:
        shown.unlink(obj)
    for obj in wanted - set(shown):
        shown.link(obj)
    sync(light)


def sync(scene: bpy.types.Scene) -> None:
    """Bring the view layers of a scene up to date: else Blender does it while it evaluates them, and ends."""
    for layer in scene.view_layers:
        len(layer.objects)


def _catchers(light: bpy.types.Scene) -> list[bpy.types.Object]:
    photo = _part(light, _PHOTO)
    return [] if photo is None else [obj for obj in photo.objects if obj.type == "MESH"]


def _part(light: bpy.types.Scene, what: str) -> bpy.types.Collection | None:
    """One of its two collections, unless a person has deleted it."""
    return next((found for found in light.collection.children if what in found.name), None)


def _objects(scene: bpy.types.Scene) -> Iterator[bpy.types.Object]:
    """What people put into the scene, lamps included."""
    for collection in collections(scene.view_layers[0].layer_collection, render=True):
        for obj in collection.objects:
            if obj.image_to_3d.role == "NONE" and obj.type != "CAMERA":
                yield obj
