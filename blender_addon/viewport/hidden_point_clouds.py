"""Blender's own point clouds, hidden in viewports where a picture stands for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import bpy

from .stream import Stream


class HiddenPointClouds:
    """Which spaces do not draw them because of the preview. Main thread."""

    def __init__(self) -> None:
        self._hiding: set[int] = set()  # addresses of spaces, on screen or not
        self._known: set[int] = set()  # of all spaces there were when the first of them was hidden

    def follow(self, viewports: Iterable[tuple[bpy.types.Area, Stream]]) -> None:
        """Hide them where the pictures stand for all of them in every view of a space."""
        replaced: dict[int, tuple[bpy.types.SpaceView3D, bool]] = {}
        for area, stream in viewports:
            space = area.spaces.active
            key = space.as_pointer()
            stands = stream.picture is not None and stream.view is not None and not stream.view.visible.refused
            replaced[key] = space, stands and replaced.get(key, (space, True))[1]
        for space, hide in replaced.values():
            self.set(space, hide)

    def set(self, space: bpy.types.SpaceView3D, hide: bool) -> None:
        """Hide them in a space, where all are photos' and a person shows them, or take that back."""
        key = space.as_pointer()
        if hide and key not in self._hiding and space.show_object_viewport_pointcloud and _only_photos():
            if not self._hiding:
                self._known = {known.as_pointer() for known in _spaces()}
            space.show_object_viewport_pointcloud = False
            self._hiding.add(key)
        elif not hide and key in self._hiding:
            space.show_object_viewport_pointcloud = True
            self._hiding.discard(key)

    def show(self) -> None:
        """Have Blender draw them again wherever that was switched off here, in viewports split from those too."""
        if not self._hiding:
            return
        for space in _spaces():
            address = space.as_pointer()
            if address in self._hiding or address not in self._known:
                space.show_object_viewport_pointcloud = True
        self._hiding.clear()


def _only_photos() -> bool:
    """Whether every point cloud of the file is a photo's: others have no picture to stand for them."""
    return all(
        obj.image_to_3d.role == "POINTS" for obj in bpy.data.objects if obj.type == "POINTCLOUD" and obj.users_scene
    )


def _spaces() -> Iterator[bpy.types.SpaceView3D]:
    """All 3D viewports of the file: also of other workspaces, and those that another editor stands in place of."""
    for screen in bpy.data.screens:
        for area in screen.areas:
            yield from (space for space in area.spaces if space.type == "VIEW_3D")
