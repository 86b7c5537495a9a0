"""The render engine "Image to 3D Splats": final pictures of photos, drawn by the backend as ``image-to-3d render`` draws them.

The picture comes in linear floats, and Blender manages its colours. Objects that are not made from a photo are not drawn; see
:mod:`.compositing` for both in one picture.
"""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from bpy.app.handlers import persistent
from numpy.typing import NDArray

from image_to_3d.blender.camera import camera_from_view
from image_to_3d.core import Cancelled, ErrorCode, ImageTo3DError

from .. import translations
from ..backend.connection import Connection
from ..runtime.objects import of
from ..scene import camera, visible_splats
from ..scene.resident_scenes import ResidentScenes
from ..scene.visible_splats import VisibleSplats
from ..viewport.live import LivePreview
from .client import RenderClient, SplatPicture, in_first_frame

ENGINE = "IMAGE_TO_3D_SPLATS"
NOTHING = 1e10
"""Depth where nothing is, as Blender's own engines write it."""


class IMAGE_TO_3D_RE_splats(bpy.types.RenderEngine):
    """Asks the backend for each picture; passes Combined (with alpha) and Depth."""

    bl_idname = ENGINE
    bl_label = "Image to 3D Splats"
    bl_use_preview = False
    bl_use_eevee_viewport = True  # for Material Preview

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)

    def update_render_passes(self, scene: bpy.types.Scene | None = None, renderlayer: Any = None) -> None:
        self.register_pass(scene, renderlayer, "Combined", 4, "RGBA", "COLOR")
        self.register_pass(scene, renderlayer, "Depth", 1, "Z", "VALUE")

    def render(self, depsgraph: bpy.types.Depsgraph) -> None:
        """One view layer of one frame. Called on a render's own thread where there is a window."""
        try:
            colour, depth = self._picture(depsgraph)
        except Cancelled:
            return
        except ImageTo3DError as error:
            sentence = " ".join(filter(None, translations.words_of(error)))
            self.report({"ERROR"}, sentence)
            self.error_set(sentence)
            return
        height, width = depth.shape
        result = self.begin_result(0, 0, width, height, layer=depsgraph.view_layer.name)
        for found in result.layers[0].passes:
            if found.name == "Combined":
                found.rect.foreach_set(np.ascontiguousarray(colour[::-1]).ravel())  # rows from the bottom up
            elif found.name == "Depth":
                found.rect.foreach_set(np.ascontiguousarray(depth[::-1]).ravel())
        self.end_result(result)
        self.update_progress(1.0)

    def _picture(self, depsgraph: bpy.types.Depsgraph) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Premultiplied linear RGBA (H, W, 4) and depth (H, W) in Blender units, top row first, cut to the border."""
        scene = depsgraph.scene_eval
        width, height = camera.render_size(scene.render)
        visible = visible_splats.in_render(
            depsgraph, also_disabled=depsgraph.scene.image_to_3d.final.objects is not None
        )
        for sentence in visible.refused:
            self.report({"WARNING"}, translations.sentence(sentence))
        colour = np.zeros((height, width, 4), np.float32)
        depth = np.full((height, width), np.inf, np.float32)
        if visible.instances:
            colour, depth = self._splats(depsgraph, visible)
        if not scene.render.film_transparent:
            background = np.append(background_colour(scene.world), np.float32(1.0))
            colour = colour + (1.0 - colour[..., 3:]) * background
        rows, columns = border(scene.render, width, height)
        depth = np.where(np.isfinite(depth), depth, np.float32(NOTHING))
        return colour[rows, columns], depth[rows, columns]

    def _splats(
        self, depsgraph: bpy.types.Depsgraph, visible: VisibleSplats
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        scene = depsgraph.scene_eval
        if depsgraph.scene.camera is None:
            raise ImageTo3DError(ErrorCode.BAD_REQUEST, "scene.no_camera")
        seen = depsgraph.scene.camera.evaluated_get(depsgraph)
        metres_per_unit = scene.unit_settings.scale_length
        first = visible.instances[0].object_to_world
        try:
            # The first photo's frame, and not the world's: then the figures are those of an exported camera path.
            view = camera_from_view(camera.view_of(seen, scene), None, metres_per_unit).in_frame(first)
        except ValueError as error:
            raise ImageTo3DError(
                ErrorCode.BAD_REQUEST, "scene.camera_unusable_2", seen_name=seen.name, why=error
            ) from None
        resident = of(ResidentScenes)
        resident.saw(visible)
        frame = of(RenderClient).draw(
            of(Connection).finder(bpy.context),
            resident,
            SplatPicture(in_first_frame(visible.instances), view, depsgraph.scene.image_to_3d.render.eps2d),
            self.test_break,
            lambda what: self.update_stats("", translations.sentence(what)),
        )
        units = float(np.cbrt(np.linalg.det(first[:3, :3]))) / metres_per_unit
        return frame.colour, frame.depth * np.float32(units)

    def view_update(self, context: bpy.types.Context, depsgraph: bpy.types.Depsgraph) -> None:
        """The live preview draws the splats, in this viewport as in others; it is switched on if need be."""
        of(LivePreview).turn_on_soon()  # not while something is being drawn

    def view_draw(self, context: bpy.types.Context, depsgraph: bpy.types.Depsgraph) -> None:
        """Nothing: the live preview draws over it."""


def border(render: bpy.types.RenderSettings, width: int, height: int) -> tuple[slice, slice]:
    """Rows, from the top, and columns of the picture that are to be rendered; Blender rounds in single precision."""
    if not render.use_border:
        return slice(0, height), slice(0, width)

    def at(share: float, size: int) -> int:
        return int(np.float32(share) * np.float32(size))

    left, right = at(render.border_min_x, width), at(render.border_max_x, width)
    bottom, top = at(render.border_min_y, height), at(render.border_max_y, height)
    return slice(height - top, height - bottom), slice(left, right)


def background_colour(world: bpy.types.World | None) -> NDArray[np.float32]:
    """Linear RGB (3,) of a world: of its Background node where that has a plain colour, else its viewport colour."""
    if world is None:
        return np.zeros(3, np.float32)
    if world.node_tree is not None and (bpy.app.version >= (5, 0, 0) or world.use_nodes):
        output = world.node_tree.get_output_node("ALL") or world.node_tree.get_output_node("EEVEE")
        links = output.inputs["Surface"].links if output is not None else ()
        node = links[0].from_node if links else None
        if node is not None and node.type == "BACKGROUND" and not node.inputs["Color"].is_linked:
            strength = np.float32(node.inputs["Strength"].default_value)
            return np.array(node.inputs["Color"].default_value[:3], np.float32) * strength
    return np.array(world.color, np.float32)


_NOT_OURS = {"VIEWLAYER_PT_filter", "VIEWLAYER_PT_layer_passes", "RENDER_PT_freestyle", "RENDER_PT_eevee_film"}


def _shared_panels() -> list[type[bpy.types.Panel]]:
    """Blender's panels that make sense with any engine: output, colour management, cameras, worlds."""
    found = []
    for panel in bpy.types.Panel.__subclasses__():
        engines = getattr(panel, "COMPAT_ENGINES", ())
        if "BLENDER_RENDER" in engines and panel.__name__ not in _NOT_OURS:
            found.append(panel)
    return found


@persistent
def _on_end(*_: Any) -> None:
    of(RenderClient).close()


HANDLERS = (("render_complete", _on_end), ("render_cancel", _on_end))


CLASSES = (IMAGE_TO_3D_RE_splats,)


def on_register() -> None:
    """Let panels of Blender that fit appear with this engine."""
    for panel in _shared_panels():
        panel.COMPAT_ENGINES.add(ENGINE)


def on_unregister() -> None:
    """Undo :func:`on_register`."""
    for panel in _shared_panels():
        panel.COMPAT_ENGINES.discard(ENGINE)
