"""Waiting work: bounded, and fair between clients."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from ..core.errors import ErrorCode, ImageTo3DError
from ..protocol.messages import Render


@dataclass(eq=False)
class Job:
    """One ``predict`` of one client.

    Attributes:
        key: number of the job in this server, never used twice.
        client: routing id of the connection.
        message_id: id that the client gave the request.
        frames: the request as it came; emptied when it is handed to the worker.
        output: name of the file that the worker writes its arrays to; empty until it runs.
        input: name of the file that the request's arrays lie in; empty until it runs.
        stage, fraction: last progress.
        cancelled_at: monotonic time at which the client gave up, or None.
    """

    key: int
    client: bytes
    message_id: int
    frames: list[Any] = field(repr=False)
    output: str = ""
    input: str = ""
    stage: str = "queued"
    fraction: float = 0.0
    cancelled_at: float | None = None

    @property
    def size(self) -> int:
        """Bytes it holds while it waits."""
        return sum(map(len, self.frames))


@dataclass(eq=False)
class RenderJob:
    """One ``render`` of one client; see :class:`Job`."""

    key: int
    client: bytes
    message_id: int
    request: Render
    frames: list[Any] = field(repr=False)
    output: str = ""


Work = TypeVar("Work", Job, RenderJob)


class FairQueue(Generic[Work]):
    """First come first served, round robin between clients: one client's hundred photos do not starve another's one."""

    def __init__(self) -> None:
        self._by_client: OrderedDict[bytes, deque[Work]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._by_client.values()))

    def __iter__(self) -> Iterator[Work]:
        """In the order in which it will be done."""
        lanes = [deque(lane) for lane in self._by_client.values()]
        while lanes:
            lanes = [lane for lane in lanes if lane]
            for lane in lanes:
                yield lane.popleft()

    def of(self, client: bytes) -> list[Work]:
        """What waits for one client."""
        return list(self._by_client.get(client, ()))

    def append(self, work: Work) -> None:
        """Put at the end of the client's lane."""
        self._by_client.setdefault(work.client, deque()).append(work)

    def pop(self) -> Work | None:
        """The next, or None."""
        if not self._by_client:
            return None
        client, lane = next(iter(self._by_client.items()))
        work = lane.popleft()
        del self._by_client[client]
        if lane:
            self._by_client[client] = lane
        return work

    def remove(self, client: bytes, message_id: int | None = None) -> list[Work]:
        """Take out what a client asked for under an id, or everything of a client."""
        lane = self._by_client.get(client, deque())
        removed = [work for work in lane if message_id in (None, work.message_id)]
        kept = deque(work for work in lane if work not in removed)
        if kept:
            self._by_client[client] = kept
        else:
            self._by_client.pop(client, None)
        return removed


class JobQueue(FairQueue[Job]):
    """Photos that wait.

    Args:
        limit: how many.
        limit_bytes: how much they may hold in memory together.
    """

    def __init__(self, limit: int = 64, limit_bytes: int = 2_000_000_000) -> None:
        super().__init__()
        self._limit, self._limit_bytes = limit, limit_bytes

    def put(self, job: Job) -> int:
        """Queue a job; returns how many run before it.

        Raises:
            ImageTo3DError: ``busy`` if the queue is full.
        """
        held = sum(other.size for other in self)
        if len(self) >= self._limit or (len(self) and held + job.size > self._limit_bytes):
            raise ImageTo3DError(ErrorCode.BUSY, "backend.busy", count=len(self))
        self.append(job)
        return next(i for i, other in enumerate(self) if other is job)


class RenderQueue(FairQueue[RenderJob]):
    """Pictures that wait. Of previews only the newest of each client is kept."""

    def __init__(self, limit_per_client: int = 8) -> None:
        super().__init__()
        self._limit = limit_per_client

    def put(self, job: RenderJob) -> list[RenderJob]:
        """Queue a picture; returns the previews that it replaces.

        Raises:
            ImageTo3DError: ``busy`` if the client has too many waiting.
        """
        stale = []
        if job.request.latest_only:
            stale = [other for other in self.of(job.client) if other.request.latest_only]
            for other in stale:
                self.remove(job.client, other.message_id)
        if len(self.of(job.client)) >= self._limit:
            raise ImageTo3DError(ErrorCode.BUSY, "backend.too_many_pictures", limit=self._limit)
        self.append(job)
        return stale
