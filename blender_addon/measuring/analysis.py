"""Planes and gravity of a photo: found on the background thread, kept for as long as the points stay as they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import bpy
import numpy as np
from numpy.typing import NDArray

from image_to_3d.core import ImageTo3DError
from image_to_3d.core.surfaces.levelling import Gravity, camera_angles, find_gravity
from image_to_3d.core.surfaces.planes import Plane, classify, find_planes
from image_to_3d.core.surfaces.surface import SurfaceGrid

from ..photos import session
from ..runtime import session_uids
from ..scene import roles
from . import stored_cloud

Result = TypeVar("Result")

_KEPT = 4
_SAMPLES = 16


@dataclass(frozen=True, eq=False)
class Analysis:
    """What a photo tells, OpenCV camera frame, metres of the engine.

    Attributes:
        grid: the visible surface.
        planes: the dominant ones, classified if gravity is known.
        gravity: None if the picture does not tell.
        refusal: why it does not.
        metric: whether its lengths are metres, rather than up to one factor.
    """

    grid: SurfaceGrid
    planes: tuple[Plane, ...]
    gravity: Gravity | None
    refusal: ImageTo3DError | None
    metric: bool

    def with_up(self, up: NDArray[np.float64], sd_deg: float) -> Gravity:
        """The planes as a person stood them: ``up`` (3,) against gravity, ``sd_deg`` its standard deviation."""
        pitch, roll = camera_angles(up)
        return Gravity(up, sd_deg, pitch, roll, tuple(classify(self.planes, up, self.grid)), 1.0)


def analyse(grid: SurfaceGrid, metric: bool) -> Analysis:
    """Find everything; a second or two for a large photo. Any thread.

    Args:
        grid: the surface.
        metric: whether its lengths are metres.
    """
    planes = find_planes(grid)
    try:
        gravity = find_gravity(planes, grid, metric)
    except ImageTo3DError as error:
        return Analysis(grid, tuple(planes), None, error, metric)
    return Analysis(grid, gravity.planes, gravity, None, metric)


@dataclass(eq=False)
class _Cache:
    found: dict[tuple[Any, ...], Analysis] = field(default_factory=dict)
    under_way: set[tuple[Any, ...]] = field(default_factory=set)


_cache = _Cache()


def known(root: bpy.types.Object) -> Analysis | None:
    """What is already known of a root; cheap enough for a panel. Main thread."""
    key = _key(root)
    return None if key is None else _cache.found.get(key)


def request(root: bpy.types.Object, then: Callable[[Analysis], None] | None = None) -> None:
    """Find out, then call ``then`` on the main thread, by way of the session's pump; at once if it is known.

    ``then`` may raise ImageTo3DError, which becomes the session's failure. The caller starts the session's timer.

    Raises:
        ImageTo3DError: ``bad_request`` where the root cannot be measured.
    """
    found = known(root)
    if found is not None:
        if then is not None:
            session.current().background.run(lambda: found, then)
        return
    key = _key(root)
    stored = stored_cloud.read(root)
    metric = stored.picture.provenance.metric or root.image_to_3d.calibration.calibrated
    _cache.under_way.add(key)

    def done(analysis: Analysis) -> None:
        _cache.under_way.discard(key)
        while len(_cache.found) >= _KEPT:
            del _cache.found[next(iter(_cache.found))]
        _cache.found[key] = analysis
        if then is not None:
            then(analysis)

    session.current().background.run(lambda: analyse(stored.grid(), metric), done)


def resumed(
    scene: bpy.types.Scene,
    root: bpy.types.Object,
    work: Callable[[bpy.types.Object, bpy.types.Scene, Result], object],
    step: str = "",
) -> Callable[[Result], None]:
    """A function for the result of background work, as of :func:`request`: goes on with a photo that is still there.

    It may have another name by then.

    Args:
        scene: of the photo.
        root: of the photo.
        work: is given root, scene and the result; may raise ImageTo3DError.
        step: name of the undo step that it makes; empty for none.
    """
    scene_uid, root_uid = scene.session_uid, root.session_uid

    def then(result: Result) -> None:
        root = session_uids.find(bpy.data.objects, root_uid)
        scene = session_uids.find(bpy.data.scenes, scene_uid)
        if root is None or scene is None:  # deleted meanwhile
            return
        bpy.context.view_layer.update()
        work(root, scene, result)
        if step:
            bpy.ops.ed.undo_push(message=step)

    return then


def wish(root: bpy.types.Object) -> None:
    """Have it found out soon, for a panel, which must not wait; a photo that cannot be measured is left alone."""
    key = _key(root)
    if key is None or key in _cache.under_way:
        return
    uid = root.session_uid

    def begin() -> None:
        wanted = session_uids.find(bpy.data.objects, uid)
        if wanted is not None and _key(wanted) == key:
            try:
                request(wanted)
            except ImageTo3DError:
                return
            session.start_timer()

    _cache.under_way.add(key)
    bpy.app.timers.register(begin)


def gravity_of(root: bpy.types.Object, analysis: Analysis) -> Gravity:
    """Gravity as the root stands if it was levelled, else as the picture tells.

    Raises:
        ImageTo3DError: ``bad_request`` with the reason if neither tells.
    """
    levelling = root.image_to_3d.levelling
    if levelling.levelled:
        return analysis.with_up(stored_cloud.direction_to_camera_frame(root, (0, 0, 1)), levelling.sd_deg)
    if analysis.gravity is None:
        assert analysis.refusal is not None
        raise analysis.refusal
    return analysis.gravity


def _key(root: bpy.types.Object) -> tuple[Any, ...] | None:
    """Changes with the points: the data-block, their number and a sample of their places."""
    if not stored_cloud.measurable(root):
        return None
    points = roles.points_of(root)
    if points is None:
        return None
    data = points.data
    attribute = data.attributes.get("position")
    count = 0 if attribute is None else len(attribute.data)
    if not count:
        return None
    sample = tuple(tuple(attribute.data[i].vector) for i in range(0, count, max(1, count // _SAMPLES)))
    outcome = root.image_to_3d.outcome
    return data.session_uid, count, sample, tuple(outcome.intrinsics), tuple(outcome.size), tuple(outcome.grid)


def forget() -> None:
    """Drop everything: the file that it belongs to is gone."""
    _cache.found.clear()
    _cache.under_way.clear()


@bpy.app.handlers.persistent
def _on_load(*_: Any) -> None:
    forget()


HANDLERS = (("load_pre", _on_load),)


def on_unregister() -> None:
    """Forget everything."""
    forget()
