"""Live Preview: splats drawn by the backend in every 3D viewport, among Blender's own objects.

A viewport tells what it shows whenever Blender draws it. A timer takes pictures that have come, asks for the ones that are
missing, and has the viewport drawn again; it runs quickly only while something is on its way. When nothing moves it looks once a
second at a flag, so that a lost backend is noticed. Pictures stay where they are when the file is saved, undone or loaded: what is
shown is compared with what was asked for, never remembered.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import bpy
from bpy.app.handlers import persistent
from bpy.app.translations import pgettext_n as n_

from image_to_3d.core import ImageTo3DError
from image_to_3d.protocol import ConnectionLost

from .. import translations
from ..backend.connection import RunningBackend, running_backend
from ..runtime.objects import of
from ..runtime.pump import Pump
from ..scene import visible_splats
from ..scene.resident_scenes import ResidentScenes
from ..ui.reporting import redraw
from . import notice
from .hidden_point_clouds import HiddenPointClouds
from .overlay import Painter, lens_of
from .stream import Stream, clock, view_of
from .uploads import Uploads
from .view_transform import ViewTransform

log = logging.getLogger(__name__)

BUSY_SECONDS = 0.008
"""Between two looks while a picture may come at any time."""
PATIENT_SECONDS = 0.04
"""Most between two looks while one is on its way that the last ones would not have come so soon as."""
QUIET_SECONDS = 1.0
LOOK_SECONDS = 0.1
"""Between two looks at all else than pictures while some are on their way."""
SETTINGS_SECONDS = 2.0
"""Between two looks at the settings of the backend, which takes longer than all else that a look does."""
SURFACE_BIAS = 0.006
"""Share of the depth by which the picture is drawn in front of a surface mesh of the same photo, which snapping needs."""

Place = tuple[bpy.types.Area, bpy.types.Region]


class LivePreview:
    """All viewports' streams. Main thread.

    Attributes:
        limit: largest share of a viewport's width and height that is asked for.
        pace: pictures a second to be reached while the view moves.
    """

    def __init__(self) -> None:
        self.limit = 1.0
        self.pace = 12.0
        self._on = False
        self._handles: list[Any] = []
        self._painter = Painter()
        self._colours = ViewTransform()
        self._streams: dict[int, Stream] = {}  # by the address of their region
        self._uploads = Uploads(self._after_upload)
        self._point_clouds = HiddenPointClouds()
        self._drawing_failure = ""
        self._find: RunningBackend | None = None
        self._next_look = self._next_settings = 0.0
        self._wanted = False  # to be turned on with the next pump
        of(Pump).add(self.pump)

    def wake(self) -> None:
        """Have :meth:`pump` called soon and from then on as often as it asks for."""
        of(Pump).wake(self.pump)

    @property
    def on(self) -> bool:
        """Whether viewports show pictures."""
        return self._on

    @property
    def streams(self) -> dict[int, Stream]:
        """By the address of their region."""
        return self._streams

    @property
    def uploading(self) -> bool:
        """Whether points are on their way to the backend."""
        return self._uploads.busy

    def turn_on(self) -> None:
        """Show pictures from now on; the backend is started if need be."""
        if self._on:
            return
        self._on = True
        self._drawing_failure = ""
        self._uploads.begin()
        add = bpy.types.SpaceView3D.draw_handler_add
        self._handles = [
            add(self._draw, (), "WINDOW", "POST_VIEW"),
            add(self._draw_notice, (), "WINDOW", "POST_PIXEL"),
        ]
        self._follow_settings(clock())
        _redraw_all()
        self.wake()

    def turn_on_soon(self) -> None:
        """Turn on once nothing is being drawn."""
        if not self._on and not self._wanted:
            self._wanted = True
            self.wake()

    def turn_off(self) -> None:
        """Back to the points."""
        if not self._on:
            return
        self._on = False
        for handle in self._handles:
            bpy.types.SpaceView3D.draw_handler_remove(handle, "WINDOW")
        self._handles = []
        self.close_streams()
        _redraw_all()

    def close(self) -> None:
        """Turn it off for good."""
        self.turn_off()
        of(Pump).remove(self.pump)

    def close_streams(self) -> None:
        """Forget every viewport; those that are still there make themselves known when they are drawn."""
        for stream in self._streams.values():
            stream.close()
        self._streams.clear()
        self.show_point_clouds()

    def show_point_clouds(self) -> None:
        """Have Blender draw point clouds again wherever the preview stood for them."""
        self._point_clouds.show()

    def pump(self) -> float | None:
        """Take what has come and ask for what is missing; never waits.

        Returns:
            Seconds until it should be called again, or None while the preview is off.
        """
        if self._wanted:
            self._wanted = False
            self.turn_on()
            redraw()
        if not self._on:
            return None
        now = clock()
        fresh = [address for address, stream in self._streams.items() if stream.pump(now)]
        if fresh or now >= self._next_look:
            self._next_look = now + LOOK_SECONDS
            self._look_around(fresh, now)
        for stream in self._streams.values():
            stream.limit, stream.resolution.seconds = self.limit, 1 / self.pace
            stream.ask(now)
        waiting = [stream for stream in self._streams.values() if stream.waits(now) and not stream.lost]
        if not waiting and not self._uploads.busy:
            self._next_look = now  # whoever wakes the timer has a reason
            return QUIET_SECONDS
        soonest = min((stream.expects(now) for stream in waiting), default=0.0)
        return min(max(soonest, BUSY_SECONDS), PATIENT_SECONDS)

    def _look_around(self, fresh: list[int], now: float) -> None:
        """All that need not be done each time that a picture may have come: viewports that went, scenes to send, settings."""
        if now >= self._next_settings:
            self._follow_settings(now)
        places = {region.as_pointer(): (area, region) for area, region in _places()}
        for gone in set(self._streams) - set(places):
            self._streams.pop(gone).close()
        for address in set(fresh) & set(self._streams):
            places[address][1].tag_redraw()
        losses = [stream.take_loss() for stream in self._streams.values()]
        if any(losses):
            of(ResidentScenes).forget_all()
        views = [stream.view for stream in self._streams.values() if not stream.rests]
        self._uploads.send_missing([view.visible for view in views if view is not None], now)
        self._point_clouds.follow((places[address][0], stream) for address, stream in self._streams.items())
        if self._colours.pump():
            _redraw_all()

    def failure_of(self, stream: Stream | None) -> ImageTo3DError | None:
        """Why a viewport does not show what it should."""
        if stream is not None and stream.failure is not None:
            return stream.failure
        return self._uploads.failure

    def _follow_settings(self, now: float) -> None:
        """Start anew when a person chose another backend."""
        self._next_settings = now + SETTINGS_SECONDS
        try:
            find = running_backend(bpy.context)
        except ImageTo3DError as error:
            find, self._uploads.failure = None, error
        if find != self._find:
            self._find = find
            self._uploads.begin(None if find else self._uploads.failure)
            self.close_streams()
            of(ResidentScenes).forget_all()
            _redraw_all()

    def _draw(self) -> None:
        """POST_VIEW of every 3D viewport."""
        try:
            self.draw_in(bpy.context)
        except Exception as error:  # at every redraw it would flood the console
            if not self._drawing_failure:
                log.exception("the live preview cannot be drawn")
            self._drawing_failure = f"{type(error).__name__}: {error}"

    def draw_in(self, context: bpy.types.Context) -> None:
        """Draw the picture of the viewport of ``context`` and take note of what it shows now."""
        if self._drawing_failure or context.region_data is None:
            return
        address = context.region.as_pointer()
        stream = self._streams.get(address)
        if stream is None:
            if self._find is None:
                self.wake()
                return
            stream = self._streams[address] = Stream(self._find)
        lens = lens_of(context.region_data)
        now = clock()
        if stream.look(view_of(context, lens), now):
            stream.ask(now)
        if stream.picture is not None:
            transform = self._colours.texture(context.scene, context.space_data)
            self._painter.draw(stream.picture, lens, transform, _bias(context))
        if stream.waits(now) or self._colours.waits:
            self.wake()

    def _draw_notice(self) -> None:
        stream = self._streams.get(bpy.context.region.as_pointer())
        notice.draw(bpy.context, self.sentence(stream))

    def sentence(self, stream: Stream | None) -> str:
        """What is to be said about a viewport in one line; empty if all is well."""
        if self._drawing_failure:
            return n_("The live preview cannot be drawn with this graphics driver.")
        failure = self.failure_of(stream)
        if isinstance(failure, ConnectionLost):
            return n_("No backend: showing the points. Trying again…")
        if failure is not None:
            return translations.words_of(failure)[0]
        if stream is not None and stream.view is not None:
            if stream.view.visible.refused:
                return stream.view.visible.refused[0]
            if stream.picture is None and stream.view.visible.instances:
                return n_("Waiting for the first picture…")
        return ""

    def _after_upload(self, failed: bool) -> None:
        if failed:
            _redraw_all()
        else:
            self.wake()


def _bias(context: bpy.types.Context) -> float:
    """Where the surface of a photo is drawn, the picture stands a little in front of it: both are the same surface."""
    shown = any(
        obj.image_to_3d.role == "SURFACE" and obj.display_type != "BOUNDS" and obj.visible_get()
        for obj in visible_splats.surfaces(context.scene, context.view_layer)
    )
    return SURFACE_BIAS if shown else 0.0


def _redraw_all() -> None:
    for _, region in _places():
        region.tag_redraw()


def _places() -> Iterator[Place]:
    """All regions of 3D viewports on screen, quad views included."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                for region in area.regions:
                    if region.type == "WINDOW":
                        yield area, region


@persistent
def _before_load(*_: Any) -> None:
    of(LivePreview).close_streams()


@persistent
def _before_save(*_: Any) -> None:
    of(LivePreview).show_point_clouds()  # the file must not hold what is hidden only for the moment


@persistent
def _after_save(*_: Any) -> None:
    of(LivePreview).wake()


HANDLERS = (
    ("load_pre", _before_load),
    ("save_pre", _before_save),
    ("save_post", _after_save),
)
