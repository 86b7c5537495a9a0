"""Pictures on their way through the render worker: one is drawn, of the others only the newest preview of a client waits."""

from __future__ import annotations

import itertools
import time
from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence
from typing import Any

import msgpack

from ..core.errors import ErrorCode, ImageTo3DError
from ..protocol.mapped_files import new_name
from ..protocol.messages import CodedFrame, Frame, LinearFrame, Render
from .jobs import RenderJob, RenderQueue
from .replies import ReplySocket, reply_to_mistake
from .scenes import SceneStore
from .shared_folder import SharedFolder
from .workers.channel import MessageKind, number
from .workers.handle import WorkerProcess

FRAME_FILES_PER_CLIENT = 10
FRAME_FILE_SECONDS = 5.0


class Pictures:
    """Takes requests for pictures, hands them to the render worker one after another, and passes on what it draws.

    Args:
        worker: that draws.
        folder: where arrays lie.
        scenes: what can be drawn.
        replies: to the clients.
    """

    def __init__(self, worker: WorkerProcess, folder: SharedFolder, scenes: SceneStore, replies: ReplySocket) -> None:
        self._worker, self._folder, self._scenes, self._replies = worker, folder, scenes, replies
        self._queue = RenderQueue()
        self._keys = itertools.count(1)
        self._drawing: RenderJob | None = None
        self._files: OrderedDict[bytes, deque[tuple[float, str]]] = OrderedDict()  # of each client, with their times

    @property
    def busy(self) -> bool:
        """True while anything is drawn or waits."""
        return self._drawing is not None or len(self._queue) > 0

    def start_worker(self) -> None:
        """With the first scene: whoever only makes clouds does without it."""
        if not self._worker.started:
            self._worker.start()

    def accept(self, client: bytes, message_id: int, request: Render, frames: Sequence[Any]) -> None:
        """Queue a ``render`` request, in place of older previews of the same client.

        Raises:
            ImageTo3DError: ``scene_unknown``; ``busy`` if the client has too many waiting.
        """
        for instance in request.instances:
            self._scenes.get(instance.scene)  # known, and now recently used
        job = RenderJob(next(self._keys), client, message_id, request, [bytes(frames[0])])
        for stale in self._queue.put(job):
            replaced = ImageTo3DError(ErrorCode.CANCELLED, "backend.picture_superseded")
            self._replies.error(client, stale.message_id, replaced)
        self.start_worker()
        self.draw_next()

    def draw_next(self) -> None:
        """Hand the next picture to the worker if it is free."""
        while self._drawing is None and self._worker.ready and (job := self._queue.pop()) is not None:
            try:
                scenes = [self._scenes.get(name) for name in {i.scene for i in job.request.instances}]
            except ImageTo3DError as error:
                self._replies.error(job.client, job.message_id, error)
                continue
            job.output = new_name()
            self._drawing = job
            parts = [part for s in scenes for part in (s.id.encode(), s.name.encode(), s.header)]
            self._worker.send(MessageKind.RUN, number(job.key), job.output.encode(), job.frames[0], *parts)

    def fail_waiting(self, error: ImageTo3DError) -> None:
        """End every picture that waits."""
        while (picture := self._queue.pop()) is not None:
            self._replies.error(picture.client, picture.message_id, error)

    def pending(self) -> Iterator[RenderJob]:
        """Every picture that has not been drawn, the one in work first."""
        if self._drawing is not None:
            yield self._drawing
        yield from self._queue

    def delete_old_files(self, now: float) -> None:
        """Clients open a picture's file as soon as they hear of it; after a while it can go."""
        for client, files in list(self._files.items()):
            while files and now - files[0][0] > FRAME_FILE_SECONDS:
                self._folder.delete(files.popleft()[1])
            if not files:
                del self._files[client]

    # --- what the worker says -------------------------------------------------------------------------------------------

    def on_reply(self, key: int, header: bytes) -> None:
        """It has drawn a picture, whose arrays lie in the job's file, or says why not."""
        job = self._drawing
        if job is None or job.key != key:
            return
        self._drawing = None
        if msgpack.unpackb(header)["t"] not in (Frame.TYPE, CodedFrame.TYPE, LinearFrame.TYPE):
            self._replies.send(job.client, [header])
            return
        try:
            self._replies.send_with_file(job.client, header, job.output)
        except Exception as error:  # above all OSError: the file is gone
            self._replies.error(job.client, job.message_id, reply_to_mistake(error))
        files = self._files.setdefault(job.client, deque())
        files.append((time.monotonic(), job.output))
        if len(files) > FRAME_FILES_PER_CLIENT:
            self._folder.delete(files.popleft()[1])

    def on_death(self) -> None:
        """The worker has ended, and the picture that it had with it."""
        job, self._drawing = self._drawing, None
        if job is None:
            return
        self._folder.delete(job.output)
        ended = ImageTo3DError(ErrorCode.ENGINE_FAILED, "backend.renderer_process_ended")
        self._replies.error(job.client, job.message_id, ended)
