"""What the wire costs: throughput of results, round trips of previews, and how both bear a prediction that runs beside them.

The backend is a real one in processes of its own; engine and renderer are replaced by ones that have everything ready.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from image_to_3d.catalogue import ENGINES, EngineInfo
from image_to_3d.core import Camera, GaussianCloud, Provenance
from image_to_3d.engines.base import Prediction, Progress, no_progress
from image_to_3d.protocol import Client, published
from image_to_3d.protocol import messages as m
from image_to_3d.protocol.client import frames_endpoint

GAUSSIANS = 1_179_648
SIZE = (640, 360)
RESULTS, UPLOADS, PICTURES, STATUSES = 12, 6, 400, 200
IN_FLIGHT = 2
INFO = EngineInfo("prepared", "answers at once", metric=True, implementation=f"{__name__}:PreparedEngine")


# --- the backend that is measured ------------------------------------------------------------------------------------


class PreparedEngine:
    """``busy``: works on the processor until it is cancelled. Anything else: a cloud that was ready before."""

    info = INFO

    def __init__(self, options: object = None) -> None:
        rng = np.random.default_rng(0)
        rotations = rng.standard_normal((GAUSSIANS, 4), np.float32)
        self._cloud = GaussianCloud(
            positions=rng.standard_normal((GAUSSIANS, 3), np.float32),
            scales=rng.random((GAUSSIANS, 3), np.float32),
            rotations=rotations / np.linalg.norm(rotations, axis=1, keepdims=True),
            colours=rng.random((GAUSSIANS, 3), np.float32),
            opacities=rng.random(GAUSSIANS, np.float32),
            provenance=Provenance("prepared"),
        )

    def predict(self, photo: Any, depth: Any = None, progress: Progress = no_progress) -> Prediction:
        while photo.name == "busy":
            np.linalg.svd(np.random.default_rng(0).random((200, 200)))
            progress("network", 0.5)
        return Prediction(self._cloud)

    def unload(self) -> None:
        """Nothing is held that could be given back."""


class PreparedRenderer:
    """Always the same picture."""

    name = "prepared"

    def render(self, instances: Any, camera: Camera, settings: Any) -> Any:
        from image_to_3d.render import Frame

        shape = (camera.height, camera.width)
        return Frame(np.full((*shape, 3), 0.5, np.float32), np.ones(shape, np.float32), np.ones(shape, np.float32))


def prepared_renderer() -> tuple[PreparedRenderer, str]:
    """For the render worker."""
    return PreparedRenderer(), "The picture is always the same."


ENGINES[INFO.name] = INFO


@contextlib.contextmanager
def backend() -> Iterator[None]:
    """A backend in a home folder of its own, for this process too."""
    with tempfile.TemporaryDirectory() as home:
        before = os.environ.get("IMAGE_TO_3D_HOME")
        os.environ["IMAGE_TO_3D_HOME"] = home
        process = subprocess.Popen([sys.executable, __file__])
        try:
            deadline = time.monotonic() + 60
            while published() is None:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("the backend did not start")
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            process.wait(20)
            os.environ.pop("IMAGE_TO_3D_HOME")
            if before is not None:
                os.environ["IMAGE_TO_3D_HOME"] = before


# --- measuring -------------------------------------------------------------------------------------------------------


def _predict(name: str = "") -> m.Predict:
    return m.Predict(engine="prepared", photo_name=name, photo_pixels=np.zeros((2, 2, 3), np.uint8))


def _touch(message: Any) -> int:
    """Read every array once, as whoever uses the result does; bytes."""
    arrays = [message.positions, message.scales, message.rotations, message.colours, message.opacities]
    for values in arrays:
        values.max()
    return sum(values.nbytes for values in arrays)


def _rates(what: str, repeat: int, once: Callable[[], int]) -> dict[str, Any]:
    once()
    seconds, size = [], 0
    for _ in range(repeat):
        start = time.perf_counter()
        size = once()
        seconds.append(time.perf_counter() - start)
    return {
        "what": what,
        "MB": round(size / 1e6, 1),
        "median ms": round(1e3 * float(np.median(seconds)), 1),
        "GB/s": round(size / 1e9 / float(np.median(seconds)), 2),
    }


def _percentiles(what: str, seconds: list[float], wall: float) -> dict[str, Any]:
    p50, p95, p99 = (round(1e3 * float(np.percentile(seconds, p)), 2) for p in (50, 95, 99))
    return {"what": what, "per second": round(len(seconds) / wall, 1), "p50 ms": p50, "p95 ms": p95, "p99 ms": p99}


def _pictures(what: str, client: Client, scene: str) -> dict[str, Any]:
    """Pictures with two in flight, as the viewport does it; every one is looked at."""
    width, height = SIZE
    eye = [float(v) for v in np.eye(4).ravel()]
    camera = m.Camera(width, height, [500.0, 500.0, width / 2, height / 2], eye)
    sent: dict[int, float] = {}
    seconds: list[float] = []

    def send(number: int) -> None:
        sent[client.send(m.Render(number, [m.Instance(scene, eye)], camera))] = time.perf_counter()

    client.call(m.Render(0, [m.Instance(scene, eye)], camera), timeout=120)  # the scene is loaded, everything compiled
    start = time.perf_counter()
    for number in range(IN_FLIGHT):
        send(number)
    number = IN_FLIGHT
    while sent:
        found = client.receive(10.0)
        if found is None:
            raise RuntimeError("a picture did not come")
        began = sent.pop(found[0])
        if not isinstance(found[1], m.Frame):
            if isinstance(found[1], m.ErrorReply) and found[1].code == "cancelled":  # overtaken by the next one
                if number < PICTURES:
                    send(number)
                    number += 1
                continue
            raise RuntimeError(str(found[1]))
        found[1].colour.max()
        seconds.append(time.perf_counter() - began)
        if number < PICTURES:
            send(number)
            number += 1
    return _percentiles(what, seconds, time.perf_counter() - start)


def _statuses(what: str, client: Client) -> dict[str, Any]:
    seconds = []
    start = time.perf_counter()
    for _ in range(STATUSES):
        began = time.perf_counter()
        client.call(m.Status(), timeout=10)
        seconds.append(time.perf_counter() - began)
    return _percentiles(what, seconds, time.perf_counter() - start)


def run(args: argparse.Namespace | None = None) -> list[dict[str, Any]]:
    """Rows of figures: results and uploads, pictures and status requests, idle and beside a running prediction."""
    rows = []
    with backend(), Client() as client, Client(replace(client.endpoint, shared="")) as far:
        rows.append(_rates("result, same account (mapped file)", RESULTS, lambda: _touch(client.call(_predict()))))
        rows.append(_rates("result, over the socket", RESULTS, lambda: _touch(far.call(_predict()))))
        result = client.call(_predict())
        assert isinstance(result, m.Result)
        fields = {name: getattr(result, name) for name in ("positions", "scales", "rotations", "colours", "opacities")}

        def upload() -> int:
            far.call(m.UploadScene(**fields), timeout=60)
            return _touch(result)

        rows.append(_rates("upload of a scene", UPLOADS, upload))
        label = f"pictures {SIZE[0]}×{SIZE[1]}"
        with Client(frames_endpoint(client)) as near_frames, Client(frames_endpoint(far)) as far_frames:
            rows.append(_pictures(f"{label}, same account", near_frames, result.scene))
            rows.append(_pictures(f"{label}, over the socket", far_frames, result.scene))
            rows.append(_statuses("status", client))
            busy = client.send(_predict("busy"))
            rows.append(_pictures(f"{label}, same account, beside a prediction", near_frames, result.scene))
            rows.append(_pictures(f"{label}, over the socket, beside a prediction", far_frames, result.scene))
            rows.append(_statuses("status, beside a prediction", far))
            client.send(m.Cancel(busy))
    return rows


if __name__ == "__main__":
    from image_to_3d.server.frontend import Frontend, FrontendOptions

    frontend = Frontend(FrontendOptions(make_renderer=prepared_renderer))
    import signal

    signal.signal(signal.SIGTERM, lambda *_: frontend.stop())
    frontend.run()
