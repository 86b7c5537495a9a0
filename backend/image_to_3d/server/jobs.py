"""Waiting jobs: bounded, and fair between clients."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from ..core.errors import ErrorCode, ImageTo3DError


@dataclass
class Job:
    """One ``predict`` of one client.

    Attributes:
        key: number of the job in this server, never used twice.
        client: routing id of the connection.
        message_id: id that the client gave the request.
        frames: the request as it came; emptied when it is handed to the worker.
        photo: name for the status page.
        stage, fraction: last progress.
        cancelled_at: monotonic time at which the client gave up, or None.
    """

    key: int
    client: bytes
    message_id: int
    frames: list[bytes] = field(repr=False)
    stage: str = "queued"
    fraction: float = 0.0
    cancelled_at: float | None = None


class JobQueue:
    """First come first served, round robin between clients: one client's hundred photos do not starve another's one."""

    def __init__(self, limit: int = 64) -> None:
        self._limit = limit
        self._by_client: OrderedDict[bytes, deque[Job]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._by_client.values()))

    def __iter__(self) -> Iterator[Job]:
        """Jobs in the order in which they will run."""
        lanes = [deque(lane) for lane in self._by_client.values()]
        while lanes:
            lanes = [lane for lane in lanes if lane]
            for lane in lanes:
                yield lane.popleft()

    def put(self, job: Job) -> int:
        """Queue a job; returns how many run before it.

        Raises:
            ImageTo3DError: ``busy`` if the queue is full.
        """
        if len(self) >= self._limit:
            raise ImageTo3DError(
                ErrorCode.BUSY, f"The backend is busy: {len(self)} photos are waiting.", "Try again in a few minutes."
            )
        self._by_client.setdefault(job.client, deque()).append(job)
        return next(i for i, other in enumerate(self) if other is job)

    def pop(self) -> Job | None:
        """The next job, or None."""
        if not self._by_client:
            return None
        client, lane = next(iter(self._by_client.items()))
        job = lane.popleft()
        del self._by_client[client]
        if lane:
            self._by_client[client] = lane
        return job

    def remove(self, client: bytes, message_id: int | None = None) -> list[Job]:
        """Take out a client's job, or all of its jobs."""
        lane = self._by_client.pop(client, deque())
        removed = [job for job in lane if message_id in (None, job.message_id)]
        kept = deque(job for job in lane if job not in removed)
        if kept:
            self._by_client[client] = kept
        return removed
