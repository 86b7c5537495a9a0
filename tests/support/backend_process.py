"""A real backend process for tests: its own home folder, started and stopped like a user would, nothing left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil

from image_to_3d.protocol import Client, Endpoint, published
from image_to_3d.protocol.keys import load_or_create
from image_to_3d.protocol.messages import Predict, State, Status, bytes_blob
from paths import SAMPLE, SUPPORT

WITH_TEST_ENGINES = SUPPORT / "backend_with_test_engines.py"


def sample_request(**changes: object) -> Predict:
    """The sample room through the engine ``depth-map``."""
    fields: dict[str, object] = {
        "engine": "depth-map",
        "photo_name": "photo.jpg",
        "photo_file": bytes_blob((SAMPLE / "photo.jpg").read_bytes()),
        "depth_name": "depth_mm.png",
        "depth_file": bytes_blob((SAMPLE / "depth_mm.png").read_bytes()),
    }
    return Predict(**{**fields, **changes})  # type: ignore[arg-type]


def scripted(what: str) -> Predict:
    """A request for the engine of :mod:`backend_with_test_engines` that does ``what``."""
    return Predict(engine="scripted", photo_name=what, photo_pixels=np.zeros((2, 3, 3), np.uint8))


def wait_until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait for something that happens soon; fail the test if it does not."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain"
        time.sleep(0.02)


class Backend:
    """``image-to-3d serve`` in a process of its own.

    Args:
        home: folder for its keys, runtime files and logs; the test's own process must use the same.
        arguments: of ``serve``.
        test_engines: also knows the engine ``scripted`` and a stubbed renderer.
    """

    def __init__(self, home: Path, *arguments: str, test_engines: bool = True) -> None:
        self.home = home
        program = [str(WITH_TEST_ENGINES)] if test_engines else ["-m", "image_to_3d"]
        self.log = home.parent / f"{home.name}-stderr.txt"
        with self.log.open("wb") as stream:
            self.process = subprocess.Popen(
                [sys.executable, *program, "serve", *arguments],
                env={**os.environ, "IMAGE_TO_3D_HOME": str(home)},
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )
        self.family: list[psutil.Process] = []

    @property
    def pid(self) -> int:
        return self.process.pid

    def said(self) -> str:
        """What it wrote to the terminal."""
        return self.log.read_text("utf-8", "replace")

    def wait_published(self) -> Endpoint:
        """Wait until clients can find it."""

        def found() -> bool:
            assert self.process.poll() is None, self.said()
            endpoint = published()
            return endpoint is not None and endpoint.pid == self.pid

        wait_until(found, 30)
        endpoint = published()
        assert endpoint is not None
        return endpoint

    def wait_ready(self) -> None:
        """Wait until its workers have started too."""
        self.wait_published()
        with Client() as client:
            wait_until(lambda: all(worker["ready"] for worker in report(client)["workers"].values()), 60)
        self.remember_family()

    def remember_family(self) -> None:
        """Note its child processes, to see later that they are gone."""
        self.family += psutil.Process(self.pid).children(recursive=True)

    def end(self) -> None:
        """Stop it, however it stands, and check that nothing of it is left."""
        if self.process.poll() is None:
            self.remember_family()
            self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
            raise
        finally:
            _, alive = psutil.wait_procs(self.family, 10)
            for process in alive:
                process.kill()
        assert not alive, f"still running: {alive}"


def report(client: Client) -> dict:
    """The report of ``status``."""
    reply = client.call(Status(), timeout=10)
    assert isinstance(reply, State)
    return reply.report


def left_in(home: Path) -> list[str]:
    """Files below a home folder that a backend which has stopped should not leave."""
    files = [str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()]
    expected = ("config/server.key.json", "config/client.key.json", "config/authorised_clients.json")
    return [f for f in files if f not in expected and not f.startswith("log/") and not f.endswith(".lock")]


@contextmanager
def running_backend(home: Path, *arguments: str, test_engines: bool = True) -> Iterator[Backend]:
    """A backend for a block of code, checked afterwards for anything left behind."""
    load_or_create("client")  # as a client that was here before
    folder = Path()
    backend = Backend(home, *arguments, test_engines=test_engines)
    try:
        folder = Path(backend.wait_published().shared)
        assert folder.is_dir()
        yield backend
    finally:
        backend.end()
    assert not folder.exists()
    assert left_in(home) == []
