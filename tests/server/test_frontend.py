"""The frontend while something is slow or goes wrong: it answers everybody else."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import zmq

from backend_process import wait_until
from image_to_3d.protocol import Client
from image_to_3d.protocol import messages as m
from image_to_3d.protocol.wire import encode
from image_to_3d.server import uploads
from image_to_3d.server.background import BackgroundThread
from image_to_3d.server.frontend import Frontend
from image_to_3d.server.jobs import Job
from image_to_3d.server.photo_jobs import PhotoJobs
from image_to_3d.server.pictures import Pictures
from image_to_3d.server.scenes import SceneStore, content_id
from image_to_3d.server.shared_folder import SharedFolder
from image_to_3d.server.workers.channel import MessageKind, number


def cloud(n: int = 3) -> dict[str, Any]:
    ones = np.ones((n, 3), np.float32)
    rotations = np.tile(np.float32([1, 0, 0, 0]), (n, 1))
    return {
        "positions": ones,
        "scales": ones,
        "rotations": rotations,
        "colours": ones,
        "opacities": np.ones(n, np.float32),
    }


@pytest.fixture
def frontend(own_home: Path) -> Iterator[Frontend]:
    """In a thread of this process, so that its parts can be slowed down."""
    running = Frontend()
    running._inference.start = lambda: None  # type: ignore[method-assign]  # nothing is computed here
    running._rendering.start = lambda: None  # type: ignore[method-assign]
    thread = threading.Thread(target=running.run)
    thread.start()
    yield running
    running.stop()
    thread.join(10)
    assert not thread.is_alive()


def test_hashing_and_writing_a_scene_keeps_nobody_waiting(frontend: Frontend, monkeypatch: pytest.MonkeyPatch) -> None:
    hashing, go_on = threading.Event(), threading.Event()

    def slow(blobs: Sequence[Any]) -> str:
        hashing.set()
        assert go_on.wait(10)
        return content_id(blobs)

    monkeypatch.setattr(uploads, "content_id", slow)
    with Client(frontend.endpoint) as one, Client(frontend.endpoint) as other:
        upload = one.send(m.UploadScene(**cloud()))
        assert hashing.wait(5)
        start = time.monotonic()
        assert isinstance(other.call(m.Status(), timeout=3), m.State)
        assert time.monotonic() - start < 1
        go_on.set()
        found = one.receive(5)
        assert found is not None and found[0] == upload and isinstance(found[1], m.Accepted) and found[1].scene
        again = one.call(m.UploadScene(**cloud()), timeout=5)
        assert isinstance(again, m.Accepted) and again.scene == found[1].scene
        state = other.call(m.Status(), timeout=3)
        assert isinstance(state, m.State) and state.report["scenes"]["count"] == 1


def test_a_scene_that_cannot_be_written_is_refused_with_a_sentence(
    frontend: Frontend, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, blobs: Sequence[Any]) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("image_to_3d.server.shared_folder.write_blobs", full)
    with Client(frontend.endpoint) as client:
        request = client.send(m.UploadScene(**cloud()))
        found = client.receive(5)
        assert found is not None and found[0] == request
        assert isinstance(found[1], m.ErrorReply) and found[1].code == "out_of_memory"


class Replies:
    """What would have been sent."""

    def __init__(self, folder: SharedFolder) -> None:
        self.sent: list[tuple[int, str]] = []
        self._folder = folder

    def reply(self, client: bytes, message_id: int, message: m.Message) -> bool:
        self.sent.append((message_id, message.TYPE))
        return True

    def error(self, client: bytes, message_id: int, error: Any) -> None:
        self.sent.append((message_id, error.code.value))

    def send_with_file(self, client: bytes, header: bytes, name: str) -> bool:
        self._folder.open(name)
        return True


class Parts(SimpleNamespace):
    """Photos and pictures with a worker that only listens, and a thread in the background that does things when told."""

    def __init__(self) -> None:
        self.handed: list[tuple[MessageKind, int]] = []
        self.later: list[Callable[[], None]] = []
        self.folder = SharedFolder()
        self.scenes = SceneStore(self.folder)
        self.replies = Replies(self.folder)
        worker: Any = SimpleNamespace(
            ready=True, started=True, send=lambda kind, key, *_: self.handed.append((kind, int(key)))
        )
        background: Any = SimpleNamespace(run=lambda work, then, failed: self.later.append(lambda: then(work())))
        replies: Any = self.replies
        self.photos = PhotoJobs(
            worker, self.folder, self.scenes, replies, background, lambda: None, lambda client: None
        )
        self.pictures = Pictures(worker, self.folder, self.scenes, replies)

    def files(self) -> list[str]:
        return [path.name for path in self.folder.path.iterdir() if path.name != "lock"]


@pytest.fixture
def parts(own_home: Path) -> Iterator[Parts]:
    made = Parts()
    yield made
    made.folder.close()


def test_a_photo_is_written_in_the_background_and_then_handed_over(parts: Parts) -> None:
    parts.photos.accept(b"client", 5, encode(m.Predict(photo_file=m.bytes_blob(b"photo")), 5))
    assert parts.handed == [] and parts.files() == [] and parts.photos.running is not None
    parts.later.pop()()
    assert parts.handed == [(MessageKind.RUN, 1)] and len(parts.files()) == 1


def test_a_photo_that_is_cancelled_while_it_is_written_never_reaches_the_worker(parts: Parts) -> None:
    request = encode(m.Predict(photo_file=m.bytes_blob(b"photo")), 5)
    parts.photos.accept(b"client", 5, request)
    parts.photos.accept(b"client", 6, request)
    parts.photos.cancel(b"client", 5)
    parts.later.pop(0)()
    parts.later.pop(0)()
    assert parts.replies.sent == [(5, "accepted"), (6, "accepted"), (5, "cancelled")]
    assert [kind for kind, _ in parts.handed] == [MessageKind.RUN] and parts.photos.running.message_id == 6
    assert len(parts.files()) == 1, "the file of the first is gone"


def test_a_photo_whose_worker_dies_while_it_is_written_leaves_nothing(parts: Parts) -> None:
    parts.photos.accept(b"client", 5, encode(m.Predict(photo_file=m.bytes_blob(b"photo")), 5))
    parts.photos.on_death()
    parts.later.pop()()
    assert parts.replies.sent[-1] == (5, "engine_failed") and parts.handed == [] and parts.files() == []


def test_a_result_whose_file_is_gone_ends_its_job_and_nothing_else(parts: Parts) -> None:
    parts.photos.running = Job(1, b"client", 5, [], output="0" * 32)
    header, *_ = encode(m.Result(**cloud()), 5)
    parts.photos.on_reply(1, header)
    assert parts.photos.running is None and parts.replies.sent == [(5, "internal")] and len(parts.scenes) == 0


def test_a_picture_whose_file_is_gone_ends_with_an_error(parts: Parts) -> None:
    picture = m.Frame(1, [1, 1], np.zeros((1, 1, 4), np.uint8), np.zeros((1, 1), np.float16))
    camera = m.Camera(1, 1, [1.0, 1.0, 0.5, 0.5], np.eye(4).ravel().tolist())
    parts.pictures.accept(b"client", 7, m.Render(1, [], camera), [b"header"])
    assert parts.handed == [(MessageKind.RUN, 1)]
    parts.pictures.on_reply(1, encode(picture, 7)[0])
    assert parts.replies.sent == [(7, "internal")] and not parts.pictures.busy


def test_an_event_that_makes_no_sense_does_not_end_the_frontend(frontend: Frontend) -> None:
    pusher = frontend._listener.context.socket(zmq.PUSH)
    try:
        pusher.connect("inproc://worker-events")
        generation = number(frontend._inference.generation)
        pusher.send_multipart([b"inference", generation, MessageKind.LOG.value, b"no number", b"text"])
        with Client(frontend.endpoint) as client:
            assert isinstance(client.call(m.Status(), timeout=3), m.State)
    finally:
        pusher.close(0)


def test_work_in_the_background_follows_in_order_and_in_the_loop() -> None:
    context: zmq.Context[Any] = zmq.Context()
    background = BackgroundThread(context)
    seen: list[Any] = []
    try:
        for n in (1, 0, 2):
            background.run(lambda n=n: 2 // n, seen.append, lambda error: seen.append(type(error)))  # type: ignore[misc]
        assert seen == []

        def collected() -> bool:
            background.collect()
            return len(seen) == 3

        wait_until(collected, 5)
        assert seen == [2, ZeroDivisionError, 1]
    finally:
        background.close()
        context.term()
