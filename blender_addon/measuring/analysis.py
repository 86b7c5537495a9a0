"""Planes and gravity of a photo: found on the background thread, kept for as long as the points stay as they are."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import bpy
import numpy as np
from numpy.typing import NDArray

from image_to_3d.core import ImageTo3DError
from image_to_3d.core.surfaces.levelling import Gravity, camera_angles, find_gravity
from image_to_3d.core.surfaces.planes import Plane, classify, find_planes
from image_to_3d.core.surfaces.plumb_lines import PlumbLines, plumb_lines_of
from image_to_3d.core.surfaces.surface import SurfaceGrid

from ..runtime import objects, session_uids
from ..runtime.objects import of
from ..runtime.pump import Pump
from ..runtime.workers import Workers, or_notice
from ..scene import roles
from . import stored_cloud

Result = TypeVar("Result")

_KEPT = 4
_SAMPLES = 16
_PAUSE_SECONDS = 30.0


@dataclass(frozen=True, eq=False)
class Analysis:
    """What a photo tells, OpenCV camera frame, metres of the engine.

    Attributes:
        grid: the visible surface.
        planes: the dominant ones, classified if gravity is known.
        gravity: None if the picture does not tell.
        refusal: why it does not.
        metric: whether its lengths are metres, rather than up to one factor.
        plumb: the vertical from the lines of the photo; None if they do not tell.
    """

    grid: SurfaceGrid
    planes: tuple[Plane, ...]
    gravity: Gravity | None
    refusal: ImageTo3DError | None
    metric: bool
    plumb: PlumbLines | None

    def with_up(self, up: NDArray[np.float64], sd_deg: float) -> Gravity:
        """The planes as a person levelled them: ``up`` (3,) against gravity, ``sd_deg`` its standard deviation."""
        pitch, roll = camera_angles(up)
        return Gravity(up, sd_deg, pitch, roll, tuple(classify(self.planes, up, self.grid)), 1.0)


def analyse(grid: SurfaceGrid, metric: bool, plumb: PlumbLines | None) -> Analysis:
    """Find everything; a second or two for a large photo. Any thread.

    Args:
        grid: the surface.
        metric: whether its lengths are metres.
        plumb: the vertical from the lines of the photo; None if they do not tell.
    """
    planes = find_planes(grid)
    try:
        gravity = find_gravity(planes, grid, metric, plumb)
    except ImageTo3DError as error:
        return Analysis(grid, tuple(planes), None, error, metric, plumb)
    return Analysis(grid, gravity.planes, gravity, None, metric, plumb)


Key = tuple[Any, ...]
Then = Callable[["Analysis"], None]


class Analyses:
    """What is known of photos, and what is being found out. Main thread."""

    def __init__(self) -> None:
        self._found: dict[Key, Analysis] = {}
        self._waiting: dict[Key, list[Then]] = {}
        self._failed: dict[Key, float] = {}  # when, so that a panel does not try again at every redraw

    def known(self, key: Key | None) -> Analysis | None:
        """What was found out about the points of a key."""
        return None if key is None else self._found.get(key)

    def to_be_fetched(self, key: Key) -> bool:
        """Whether nothing is known, nothing is on its way, and it has not just failed."""
        failed = self._failed.get(key)
        resting = failed is not None and time.monotonic() < failed + _PAUSE_SECONDS
        return key not in self._found and key not in self._waiting and not resting

    def fetch(self, key: Key, found_out: Callable[[], Analysis], then: Then | None) -> None:
        """Have ``found_out`` called on the background thread; whoever else asks meanwhile gets the same answer."""
        waiting = [] if then is None else [then]
        if key in self._waiting:
            self._waiting[key] += waiting
            return
        self._waiting[key] = waiting

        of(Workers).run(lambda _: found_out(), lambda outcome: self._arrived(key, outcome))

    def forget(self) -> None:
        """Drop everything: the file that it belongs to is gone."""
        self._found.clear()
        self._waiting.clear()
        self._failed.clear()

    def refused(self, key: Key) -> None:
        """What cannot be found out is not tried again for a while."""
        self._failed[key] = time.monotonic()

    def _arrived(self, key: Key, outcome: Analysis | Exception) -> None:
        waiting = self._waiting.pop(key, [])
        if isinstance(outcome, Exception):
            self.refused(key)
            raise outcome
        self._failed.pop(key, None)
        while len(self._found) >= _KEPT:
            del self._found[next(iter(self._found))]
        self._found[key] = outcome
        errors = []
        for then in waiting:
            try:
                then(outcome)
            except Exception as error:  # the others get their answer all the same
                errors.append(error)
        if errors:
            raise errors[0]


def known(root: bpy.types.Object) -> Analysis | None:
    """What is already known of a root; cheap enough for a panel. Main thread."""
    return of(Analyses).known(_key(root))


def request(root: bpy.types.Object, then: Then | None = None) -> None:
    """Find out, then call ``then`` on the main thread, at the next turn of the pump if it is known.

    ``then`` may raise ImageTo3DError, which is said in the panel.

    Raises:
        ImageTo3DError: ``bad_request`` where the root cannot be measured.
    """
    found = known(root)
    if found is not None:
        if then is not None:
            of(Workers).run(lambda _: found, or_notice("measuring", then))
        return
    key = _key(root)
    stored = stored_cloud.read(root)
    provenance = stored.picture.provenance
    metric = provenance.metric or root.image_to_3d.calibration.calibrated
    plumb = plumb_lines_of(provenance)
    assert key is not None  # it has points, or reading them had raised
    of(Analyses).fetch(key, lambda: analyse(stored.grid(), metric, plumb), then)


def prefetch(root: bpy.types.Object) -> None:
    """Have it found out soon, for a panel, which must not wait; a photo that cannot be measured is left alone."""
    key = _key(root)
    if key is None or not of(Analyses).to_be_fetched(key):
        return
    uid = root.session_uid

    def begin() -> None:
        wanted = session_uids.find(bpy.data.objects, uid)
        if wanted is None or _key(wanted) != key or not of(Analyses).to_be_fetched(key):
            return
        try:
            request(wanted)
        except ImageTo3DError:
            of(Analyses).refused(key)
            return

    _soon(begin)


def _soon(function: Callable[[], None]) -> None:
    """Call a function once the panels are drawn."""
    of(Pump).soon(function)


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


def _key(root: bpy.types.Object) -> Key | None:
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


@bpy.app.handlers.persistent
def _on_load(*_: Any) -> None:
    if objects.running():
        of(Analyses).forget()


HANDLERS = (("load_pre", _on_load),)
