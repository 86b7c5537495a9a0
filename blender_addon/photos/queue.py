"""The photos on their way: one at a time, the others wait behind it.

Work is split in three. The main thread takes what it needs from bpy and submits. The client's thread reads files, starts the
backend, talks to it and turns its answer into arrays in Blender's frame. The pump moves progress to the panel and has the scene
built in slices.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
from bpy.app.handlers import persistent

from image_to_3d.core import ErrorCode, ImageTo3DError
from image_to_3d.protocol import Event
from image_to_3d.protocol.messages import ProgressReport

from ..backend import recovery, settings
from ..backend.connection import Asker, Connection
from ..runtime import objects, session_uids
from ..runtime.main_thread import SlicedRunner, Steps
from ..runtime.notices import Notices
from ..runtime.objects import of
from ..runtime.pump import Pump
from ..runtime.workers import Workers
from ..scene import build, draft, photo_source
from ..scene import recipe as recipes
from ..scene.active import LastResult
from ..scene.properties import Recipe
from ..scene.recipe import RecipeValues
from ..ui import reporting
from . import depth_images, update_hooks
from .job import Arrival, DepthMapJob, HeatMapArrival, PhotoJob

SOURCE = "photo"
"""Of the notices about photos."""


class PhotoQueue:
    """The photos on their way. Main thread, except where said.

    Attributes:
        job: the photo on its way, or None.
        waiting: photos behind it, in order.
        failed: photos that failed since the queue was last empty.
        was_batch: whether photos have waited behind another since then.
    """

    def __init__(self) -> None:
        self.job: PhotoJob | None = None
        self.waiting: list[PhotoJob] = []
        self.failed: list[PhotoJob] = []
        self.was_batch = False
        of(Connection).on_change.append(self._backend_goes)
        of(Pump).add(self.tick, lambda: self.job is not None or bool(self.waiting))

    def generate(
        self, context: bpy.types.Context, recipe: Recipe, root: str = "", photo: Path | None = None
    ) -> PhotoJob:
        """Start a photo on its way to the scene of ``context``, or queue it behind the one under way; returns at once.

        Args:
            context: where the button was pressed.
            recipe: what to make.
            root: name of a root whose objects are to get the result; empty: new objects are made.
            photo: a file to take in place of the recipe's photo. Depth file and mask of the recipe are not used then.

        Raises:
            ImageTo3DError: the recipe names no photo, or the settings of the backend are wrong.
        """
        stored = recipes.values(recipe)
        if photo is not None:
            stored = stored.of_file(photo)
        scene = context.scene
        job = PhotoJob(
            recipe=stored,
            scene=scene.session_uid,
            metres_per_unit=scene.unit_settings.scale_length,
            source=photo_source.from_stored(stored),
            fields=_request_fields(context, stored),
            depth_path=bpy.path.abspath(stored.depth_path) if stored.depth_path else "",
            root=bpy.data.objects[root].session_uid if root else 0,
        )
        self._add(job)
        return job

    def depth_map(self, context: bpy.types.Context, recipe: Recipe) -> PhotoJob:
        """Queue a photo whose depth is wanted as an image; returns at once.

        Raises:
            ImageTo3DError: the recipe names no photo, or the settings of the backend are wrong.
        """
        stored = recipes.values(recipe)
        # The picture is of all that the engine sees, in full detail.
        fields = _request_fields(context, stored) | {
            "fill": False,
            "depth_max": None,
            "max_gaussians": None,
            "mask": None,
        }
        job = DepthMapJob(
            recipe=stored,
            scene=context.scene.session_uid,
            metres_per_unit=context.scene.unit_settings.scale_length,
            source=photo_source.from_stored(stored),
            fields=fields,
            depth_path=bpy.path.abspath(stored.depth_path) if stored.depth_path else "",
        )
        self._add(job)
        return job

    def cancel(self) -> None:
        """Give the running job up; the next of the queue takes its place. The backend stops as soon as it can."""
        job, self.job = self.job, None
        if job is not None:
            job.cancelled.set()
            of(SlicedRunner).drop(job.work)
            of(Connection).cancel(job.ticket)
            job.release()
            of(Pump).wake(self.tick)

    def cancel_all(self) -> None:
        """Give the running job and the queue up."""
        self.waiting.clear()
        self.cancel()

    def remove(self, number: int) -> None:
        """Take a job out, whether it runs, waits or has failed."""
        if self.job is not None and self.job.number == number:
            self.cancel()
        self.waiting = [job for job in self.waiting if job.number != number]
        self.failed = [job for job in self.failed if job.number != number]

    def retry(self, number: int) -> None:
        """Queue a failed job again, as it was.

        Raises:
            ImageTo3DError: the settings of the backend are wrong.
        """
        job = next((job for job in self.failed if job.number == number), None)
        if job is not None:
            self._queue(job.restarted())
            self.failed.remove(job)

    def failed_with(self, failure: Exception) -> PhotoJob | None:
        """The job that failed so."""
        return next((job for job in self.failed if job.failure is failure), None)

    def forget(self) -> None:
        """Drop the running job, its result and the queue: the file they were for is gone."""
        self.cancel_all()
        self.failed.clear()

    def close(self) -> None:
        """Give everything up."""
        self.forget()

    def tick(self) -> float | None:
        """Start what can be started and put what has come into the scene. Answers are handed over by the connection."""
        job = self.job
        if job is not None and job.prepared is not None and job.work is None:
            prepared = job.prepared
            job.work = of(SlicedRunner).run(
                lambda: self._build_in_slices(job, prepared), lambda error: self._give_up(job, error)
            )
        while self.job is None and self.waiting:
            following = self.waiting.pop(0)
            try:
                self._start(following)
            except ImageTo3DError as error:
                self._fail(following, error)
        return None

    def _add(self, job: PhotoJob) -> None:
        if self.job is None and not self.waiting:
            self.failed.clear()
            self.was_batch = False
        self._queue(job)

    def _queue(self, job: PhotoJob) -> None:
        if self.job is not None or self.waiting:
            self.waiting.append(job)
            self.was_batch = True
            return
        of(Notices).begin()
        self._start(job)

    def _start(self, job: PhotoJob) -> None:
        root = job.find_root(bpy.data.objects)
        if root is not None:
            job.measured = update_hooks.measurement_state(root)
        job.stage, job.started = "read", time.monotonic()

        def on_start() -> None:
            job.stage = "start"

        asker = Asker(on_start, job.cancelled.is_set)
        job.ticket = of(Connection).submit(
            bpy.context, job.request, lambda event: self._answered(job, event), job.prepare, asker
        )
        self.job = job

    def _answered(self, job: PhotoJob, event: Event) -> None:
        if self.job is not job:
            return
        if event.error is not None:
            self.job = None
            if event.error.code != ErrorCode.CANCELLED:
                self._fail(job, event.error)
            of(Pump).wake(self.tick)
        elif isinstance(event.reply, ProgressReport):
            job.stage, job.fraction, job.ahead = event.reply.stage, event.reply.fraction, event.reply.ahead
        elif isinstance(event.prepared, (Arrival, HeatMapArrival)):
            job.stage, job.fraction, job.prepared = "build", 1.0, event.prepared
            of(Pump).wake(self.tick)

    def _fail(self, job: PhotoJob, error: ImageTo3DError) -> None:
        job.failure = error
        job.release()
        self.failed.append(job)
        of(Notices).fail(SOURCE, error)

    def _backend_goes(self, again: bool) -> None:
        """Another that takes its place does the running job from the beginning, before the others."""
        job = self.job
        if not again:
            self.cancel_all()
        elif job is not None and job.prepared is None:
            self.cancel()
            self.waiting.insert(0, job.restarted())

    def _build_in_slices(self, job: PhotoJob, prepared: Arrival | HeatMapArrival) -> Steps:
        if isinstance(prepared, HeatMapArrival):
            depth_images.show(prepared)
            self._finish(job)
            bpy.ops.ed.undo_push(message="Depth Map")
            return
        drafted = yield from draft.in_steps(prepared.photo)
        scene = session_uids.find(bpy.data.scenes, job.scene) or bpy.context.scene
        root = job.find_root(scene.objects)
        built = build.place(scene, replace(prepared.photo, seconds=job.elapsed), drafted, root)
        update_hooks.tell(scene, built.root, prepared.reapplied, updated=root is not None)
        of(LastResult).uid = built.root.session_uid
        self._finish(job)
        yield
        bpy.ops.ed.undo_push(message="Image to 3D" if root is None else "Update Image to 3D")

    def _finish(self, job: PhotoJob) -> None:
        if self.job is job:
            self.job = None
        job.release()
        of(Pump).wake(self.tick)

    def _give_up(self, job: PhotoJob, error: ImageTo3DError) -> None:
        if self.job is job:  # else it was in the scene already, and the next has begun
            self.job = None
        self._fail(job, error)
        of(Pump).wake(self.tick)


def _request_fields(context: bpy.types.Context, stored: RecipeValues) -> dict[str, Any]:
    """What a recipe asks of the backend."""
    mask = recipes.image_named(stored.mask)
    return {
        "engine": stored.engine if stored.engine != "auto" else settings.get(context).engine,
        "mm35": stored.mm35 if stored.focal == "MM35" else None,
        "fov_deg": math.degrees(stored.fov) if stored.focal == "FOV" else None,
        "resize_depth": stored.resize_depth,
        "depth_max": stored.depth_max or None,
        "max_gaussians": recipes.MAX_GAUSSIANS[stored.density],
        "fill": stored.fill,
        "mask": photo_source.mask_of(mask) if mask is not None else None,
    }


@persistent
def _on_load(*_: Any) -> None:
    if not objects.running():
        return
    of(PhotoQueue).forget()
    of(Workers).forget()
    of(SlicedRunner).drop_all()
    of(Notices).begin()
    of(LastResult).uid = 0


@persistent
def _before_undo(*_: Any) -> None:
    if objects.running():
        of(SlicedRunner).start_over()


HANDLERS = (
    ("load_pre", _on_load),
    ("undo_pre", _before_undo),
    ("redo_pre", _before_undo),
)


def _retry_of(failure: Exception) -> recovery.FailedPhoto | None:
    job = of(PhotoQueue).failed_with(failure)
    return None if job is None else recovery.FailedPhoto(job.number, job.recipe.engine)


def _shown() -> object:
    queue = of(PhotoQueue)
    job = queue.job
    now = job and (job.number, job.stage, round(job.fraction, 2), int(job.elapsed))
    return now, tuple(job.number for job in queue.waiting), tuple(job.number for job in queue.failed), of(Workers).title


def on_register() -> None:
    """Let failures of photos have their buttons, and panels follow the queue."""
    recovery.FAILED_PHOTOS.append(_retry_of)
    reporting.WATCHED.append(_shown)


def on_unregister() -> None:
    """Undo :func:`on_register`."""
    recovery.FAILED_PHOTOS.remove(_retry_of)
