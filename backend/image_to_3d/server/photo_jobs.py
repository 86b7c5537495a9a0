"""Photos on their way through the inference worker: one runs, the others wait."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import msgpack

from ..core.errors import Cancelled, ErrorCode, ImageTo3DError
from ..protocol.mapped_files import new_name
from ..protocol.messages import Accepted, ProgressReport, Result
from ..protocol.wire import decode_reply, frames_from_file, point_to_file
from .background import BackgroundThread
from .jobs import Job, JobQueue
from .replies import ReplySocket, reply_to_mistake
from .scenes import Scene, SceneStore
from .shared_folder import SharedFolder
from .workers.channel import MessageKind, number
from .workers.handle import WorkerProcess

log = logging.getLogger(__name__)

CANCEL_GRACE_SECONDS = 10.0


class PhotoJobs:
    """Takes photos, hands them to the worker one after another, and passes on what it says.

    Args:
        worker: that makes Gaussians of photos.
        folder: where arrays lie.
        scenes: where results become resident.
        replies: to the clients.
        background: writes the arrays of requests.
        on_scene: called when a result has reached its client.
        on_client_gone: called with the routing id of a client that cannot be reached any more.

    Attributes:
        running: the job that the worker has, or None.
    """

    def __init__(
        self,
        worker: WorkerProcess,
        folder: SharedFolder,
        scenes: SceneStore,
        replies: ReplySocket,
        background: BackgroundThread,
        on_scene: Callable[[], None],
        on_client_gone: Callable[[bytes], None],
    ) -> None:
        self._worker, self._folder, self._scenes, self._replies = worker, folder, scenes, replies
        self._background = background
        self._on_scene, self._on_client_gone = on_scene, on_client_gone
        self._queue = JobQueue()
        self._keys = itertools.count(1)
        self.running: Job | None = None

    @property
    def waiting(self) -> int:
        """How many have not begun."""
        return len(self._queue)

    @property
    def busy(self) -> bool:
        """True while anything runs or waits."""
        return self.running is not None or self.waiting > 0

    def accept(self, client: bytes, message_id: int, frames: Sequence[Any]) -> None:
        """Queue a ``predict`` request.

        Raises:
            ImageTo3DError: ``busy`` if too many wait.
        """
        job = Job(next(self._keys), client, message_id, list(frames))
        ahead = self._queue.put(job) + (self.running is not None)
        self._replies.reply(client, message_id, Accepted(position=ahead))
        self.run_next()

    def run_next(self) -> None:
        """Take the next job if the worker is free; it gets it when the arrays of the request lie in a file."""
        job = self._queue.pop() if self.running is None and self._worker.ready else None
        if job is None:
            return
        job.output, job.stage = new_name(), "starting"
        self.running = job
        if len(job.frames) == 1:
            self._hand_over(job)
            return
        self._background.run(
            partial(self._folder.write, job.frames[1:]),
            then=partial(self._on_written, job),
            failed=partial(self._on_not_written, job),
        )

    def _on_written(self, job: Job, name: str) -> None:
        job.input = name
        if self.running is not job:  # the worker died meanwhile
            self._folder.delete(name)
        elif job.cancelled_at is not None:
            self._folder.delete(name)
            self._on_not_written(job, Cancelled())
        else:
            self._hand_over(job)

    def _on_not_written(self, job: Job, error: Exception) -> None:
        if self.running is job:
            self.running = None
            self._replies.error(job.client, job.message_id, reply_to_mistake(error))
            self.run_next()

    def _hand_over(self, job: Job) -> None:
        header = bytes(job.frames[0])
        if job.input:
            header = point_to_file(header, job.input)
        job.frames = []
        self._worker.send(MessageKind.RUN, number(job.key), job.output.encode(), header)

    def cancel(self, client: bytes, message_id: int) -> None:
        """Stop what a client asked for under this id; unknown ids are fine."""
        for job in self._queue.remove(client, message_id):
            self._replies.error(client, job.message_id, Cancelled())
        running = self.running
        if running is not None and (running.client, running.message_id) == (client, message_id):
            self._cancel_running()

    def drop_client(self, client: bytes) -> None:
        """Stop everything of a client that is gone."""
        dropped = self._queue.remove(client)
        if self.running is not None and self.running.client == client:
            self._cancel_running()
        if dropped:
            log.info("a client is gone; %d of its jobs were dropped", len(dropped))

    def _cancel_running(self) -> None:
        job = self.running
        if job is not None and job.cancelled_at is None:
            job.cancelled_at = time.monotonic()
            if not job.frames:  # the worker has it
                self._worker.send(MessageKind.CANCEL, number(job.key))

    def report(self) -> None:
        """Tell every client where its jobs are; who cannot be reached is gone."""
        for position, waiting in enumerate(list(self._queue)):
            ahead = position + (self.running is not None)
            self._report(waiting, ProgressReport("waiting", 0.0, ahead))
        if self.running is not None:
            self._report(self.running, ProgressReport(self.running.stage, self.running.fraction))

    def _report(self, job: Job, report: ProgressReport) -> None:
        if not self._replies.reply(job.client, job.message_id, report):
            self._on_client_gone(job.client)

    def end_what_does_not_stop(self, now: float) -> None:
        """Kill the worker if it goes on long after its job was cancelled."""
        job = self.running
        if job is not None and job.cancelled_at is not None and now - job.cancelled_at > CANCEL_GRACE_SECONDS:
            log.warning("job %d does not stop; restarting the worker", job.key)
            self._worker.kill()

    def fail_waiting(self, error: ImageTo3DError) -> None:
        """End every job that waits."""
        while (job := self._queue.pop()) is not None:
            self._replies.error(job.client, job.message_id, error)

    def pending(self) -> Iterator[Job]:
        """Every job that has not ended, the running one first."""
        if self.running is not None:
            yield self.running
        yield from self._queue

    # --- what the worker says -------------------------------------------------------------------------------------------

    def on_progress(self, key: int, reply: list[bytes]) -> None:
        """It got on with a job."""
        job = self.running
        if job is None or job.key != key:
            return
        _, report = decode_reply(reply)
        assert isinstance(report, ProgressReport)
        job.stage, job.fraction = report.stage, report.fraction
        if not self._replies.send(job.client, reply):
            self._on_client_gone(job.client)

    def on_reply(self, key: int, header: bytes) -> None:
        """It has ended a job, with a result whose arrays lie in the job's file, or with an error."""
        job = self.running
        if job is None or job.key != key:
            return
        self.running = None
        if job.input:
            self._folder.delete(job.input)
        if msgpack.unpackb(header)["t"] != Result.TYPE:
            if not self._replies.send(job.client, [header]):
                self._on_client_gone(job.client)
            return
        try:
            self._deliver(job, header)
        except Exception as error:  # above all OSError: the file is gone, as when the system cleans up behind a logout
            self._scenes.drop(job.output)
            self._replies.error(job.client, job.message_id, reply_to_mistake(error))

    def _deliver(self, job: Job, header: bytes) -> None:
        size = sum(map(len, frames_from_file(header, self._folder.open(job.output))[1:]))
        self._scenes.put(Scene(job.output, job.output, header, size))
        if self._replies.send_with_file(job.client, header, job.output):
            self._on_scene()
        else:
            log.info("the client of job %d is gone or does not read", job.key)
            self._scenes.drop(job.output)
            self._on_client_gone(job.client)

    def on_death(self) -> None:
        """The worker has ended, and the job that it had with it."""
        job, self.running = self.running, None
        if job is None:
            return
        for name in filter(None, (job.input, job.output)):
            self._folder.delete(name)
        ended = ImageTo3DError(ErrorCode.ENGINE_FAILED, "backend.engine_process_ended")
        error = Cancelled() if job.cancelled_at is not None else ended
        self._replies.error(job.client, job.message_id, error)
