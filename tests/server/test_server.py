"""The backend as a process: what it answers, how it fails, and that it goes on afterwards."""

from __future__ import annotations

import io
import json
import os
import signal
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import zmq
from PIL import Image

from backend_process import Backend, left_in, report, running_backend, sample_request, scripted, wait_until
from image_to_3d.core.errors import ErrorCode, ImageTo3DError
from image_to_3d.protocol import PROTOCOL_VERSION, Client, ClientThread, ConnectionLost, Endpoint, published
from image_to_3d.protocol import messages as m
from image_to_3d.protocol.endpoint import published_path
from image_to_3d.protocol.wire import decode_reply, encode


def replies_to(client: Client, request: int, seconds: float = 20.0) -> Iterator[m.Message]:
    """Replies to one request until its last."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = client.receive(0.1)
        if found is not None and found[0] == request:
            yield found[1]
            if isinstance(found[1], (m.Result, m.ErrorReply)):
                return
    raise AssertionError("no last reply came")


def last_reply(client: Client, request: int) -> m.Message:
    *_, last = replies_to(client, request)
    return last


def failure(client: Client, request: m.Message) -> ImageTo3DError:
    with pytest.raises(ImageTo3DError) as caught:
        client.call(request, timeout=30)
    assert not isinstance(caught.value, ConnectionLost), caught.value
    return caught.value


# --- what it does ----------------------------------------------------------------------------------------------------


def test_it_introduces_itself(client: Client) -> None:
    assert client.welcome.protocol_version == PROTOCOL_VERSION
    names = [engine.name for engine in client.welcome.engines]
    assert "depth-map" in names
    assert client.welcome.frames_port > 0
    assert (client.welcome.auto_engine, client.welcome.auto_engine_with_depth) == ("lite", "depth-map")
    lite = next(engine for engine in client.welcome.engines if engine.name == "lite")
    assert (lite.title, lite.rights) == ("Lite", "Free to use, comes with the backend")


def test_a_photo_becomes_a_cloud_in_metres(client: Client) -> None:
    seen: list[tuple[str, float]] = []
    reply = client.call(sample_request(), timeout=60, on_progress=lambda stage, f: seen.append((stage, f)))
    assert isinstance(reply, m.Result)
    cloud = reply.to_cloud()
    assert len(cloud) > 10_000 and cloud.grid is not None and cloud.intrinsics is not None
    assert reply.focal is not None and reply.focal.source == "exif35"
    assert reply.scene
    assert reply.seconds["total"] >= reply.seconds["decode"] >= 0
    stages = [stage for stage, _ in seen if not stage.startswith("waiting")]
    assert stages[0] == "decode" and stages[-1] == "pack" and "lift" in stages
    assert all(0 <= fraction <= 1 for _, fraction in seen)


def test_two_clients_share_it_fairly(backend: Backend) -> None:
    with Client() as many, Client() as one:
        first = [many.send(scripted("work 0.3")) for _ in range(4)]
        wait_until(lambda: report(one)["running"] is not None)
        start = time.monotonic()
        own = one.send(scripted("points 1"))
        assert isinstance(last_reply(one, own), m.Result)
        waited = time.monotonic() - start
        finished = [r for r in first[:-1] if isinstance(last_reply(many, r), m.Result)]
        assert len(finished) == 3
        assert isinstance(last_reply(many, first[-1]), m.Result)
        assert waited < time.monotonic() - start, "the single photo came after all the others"


def test_a_waiting_job_is_told_how_many_run_before_it(client: Client) -> None:
    running = client.send(scripted("work 0.6"))
    waiting = client.send(scripted("points 1"))
    wait_until(lambda: report(client)["waiting"] == 1)
    client.send(m.Cancel(running))
    replies = list(replies_to(client, waiting))
    assert isinstance(replies[-1], m.Result)


def test_jobs_beyond_the_limit_are_refused_as_busy(backend: Backend) -> None:
    with Client() as client:
        running = client.send(scripted("work 60"))
        wait_until(lambda: report(client)["running"] is not None)
        requests = [client.send(scripted("points 1")) for _ in range(64)]
        refused = client.send(scripted("points 1"))
        reply = last_reply(client, refused)
        assert isinstance(reply, m.ErrorReply) and reply.code == "busy" and "64" in reply.message
        for request in requests:
            client.send(m.Cancel(request))
        client.send(m.Cancel(running))
        wait_until(lambda: report(client)["running"] is None and report(client)["waiting"] == 0)


@pytest.mark.parametrize("stage", ["queued", "running"])
def test_a_job_can_be_cancelled(client: Client, stage: str) -> None:
    running = client.send(scripted("work 30"))
    wait_until(lambda: report(client)["running"] is not None)
    job = running if stage == "running" else client.send(scripted("points 1"))
    client.send(m.Cancel(job))
    reply = last_reply(client, job)
    assert isinstance(reply, m.ErrorReply) and reply.code == "cancelled"
    if stage == "queued":
        client.send(m.Cancel(running))
        assert isinstance(last_reply(client, running), m.ErrorReply)
    assert isinstance(client.call(scripted("points 5"), timeout=20), m.Result)


def test_nobody_cancels_the_jobs_of_others(backend: Backend) -> None:
    with Client() as owner, Client() as other:
        job = owner.send(scripted("work 0.5"))
        for number in range(1, 10):
            other.call(m.Cancel(number), timeout=5)
        assert isinstance(last_reply(owner, job), m.Result)


def test_jobs_of_a_client_that_went_away_are_dropped(backend: Backend) -> None:
    leaving = Client()
    leaving.send(scripted("work 60"))
    leaving.send(scripted("work 60"))
    with Client() as client:
        wait_until(lambda: report(client)["waiting"] == 1)
        leaving.close()
        wait_until(lambda: report(client)["waiting"] == 0 and report(client)["running"] is None, 10)


# --- bad input: a sentence for each, and the next photo works --------------------------------------------------------


def jpeg(width: int = 64, height: int = 48) -> bytes:
    stream = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(noise).save(stream, "JPEG")
    return stream.getvalue()


def huge_png_header() -> bytes:
    """A PNG that says it has 60 000 × 60 000 pixels and holds none of them."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


SMALL = {"photo_file": m.bytes_blob(jpeg()), "depth_file": None, "photo_name": "small.jpg"}
METRES = np.ones((48, 64), np.float32)
BAD_INPUT = {
    "no photo": (m.Predict(engine="depth-map"), "bad_request"),
    "an empty photo": (sample_request(photo_file=m.bytes_blob(b"")), "image_unreadable"),
    "not an image": (sample_request(photo_file=m.bytes_blob(b"hello world" * 99)), "image_unreadable"),
    "a truncated JPEG": (sample_request(photo_file=m.bytes_blob(jpeg()[:900])), "image_unreadable"),
    "a picture of 3600 megapixels": (sample_request(photo_file=m.bytes_blob(huge_png_header())), "image_too_large"),
    "pixels with five channels": (m.Predict(photo_pixels=np.zeros((2, 2, 5), np.uint8)), "image_unreadable"),
    "no pixels": (m.Predict(photo_pixels=np.zeros((0, 4, 3), np.uint8)), "image_unreadable"),
    "depth missing": (sample_request(depth_file=None), "bad_request"),
    "depth that is no depth file": (sample_request(depth_file=m.bytes_blob(b"\x89PNG nonsense")), "image_unreadable"),
    "depth of another size": (
        sample_request(**SMALL, depth_metres=np.ones((24, 32), np.float32)),
        "bad_request",
    ),
    "depth of another aspect": (
        sample_request(**SMALL, depth_metres=np.ones((64, 64), np.float32), resize_depth=True),
        "bad_request",
    ),
    "depth that is unknown everywhere": (sample_request(**SMALL, depth_metres=METRES * np.nan), "image_unreadable"),
    "depth that is zero everywhere": (sample_request(**SMALL, depth_metres=METRES * 0), "image_unreadable"),
    "an unknown engine": (sample_request(engine="magic"), "bad_request"),
    "an absurd focal length": (sample_request(mm35=-3.0), "bad_request"),
    "an absurd field of view": (sample_request(fov_deg=180.0), "bad_request"),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_gets_a_sentence(client: Client, case: str) -> None:
    request, code = BAD_INPUT[case]
    error = failure(client, request)
    assert error.message.endswith(".") and len(error.message) < 300
    assert "Traceback" not in error.message and "Error:" not in error.message
    assert error.code == code, str(error)
    good = client.call(sample_request(**SMALL, depth_metres=METRES), timeout=20)
    assert isinstance(good, m.Result), "the next photo fails too"


def test_another_protocol_version_is_answered_with_both_versions(client: Client) -> None:
    client._socket.send_multipart(encode(m.Hello("old add-on", "0.0.1"), 4242, version=PROTOCOL_VERSION + 1))
    wait_until(lambda: client._socket.poll(0))
    message_id, reply = decode_reply(client._socket.recv_multipart())
    assert message_id == 4242 and isinstance(reply, m.ErrorReply)
    assert reply.code == "incompatible_version"
    assert str(PROTOCOL_VERSION) in reply.message and str(PROTOCOL_VERSION + 1) in reply.message


@pytest.mark.parametrize("request_", [m.Render(1, [], m.Camera(4, 3, [1.0] * 4, [0.0] * 16))], ids=["render"])
def test_requests_on_the_wrong_socket_are_refused(client: Client, request_: m.Message) -> None:
    assert failure(client, request_).code is ErrorCode.BAD_REQUEST


def test_no_backend_is_a_sentence_too(own_home: Path) -> None:
    with pytest.raises(ConnectionLost, match="not running"):
        Client()


def test_an_address_where_nothing_listens_is_noticed(own_home: Path) -> None:
    with pytest.raises(ConnectionLost):
        Client(Endpoint("tcp://127.0.0.1:9", "x" * 40))


# --- engines that fail -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ("raise", "engine_failed"),
        ("memory", "out_of_memory"),
        ("cuda-memory", "out_of_memory"),
        ("cuda", "engine_failed"),
        ("die", "engine_failed"),
        ("exit", "engine_failed"),
    ],
)
def test_an_engine_that_fails_is_a_reply_and_the_next_photo_works(client: Client, what: str, code: str) -> None:
    before = report(client)["workers"]["inference"]["pid"]
    error = failure(client, scripted(what))
    assert error.code == code
    assert isinstance(client.call(scripted("points 4"), timeout=60), m.Result)
    after = report(client)["workers"]["inference"]["pid"]
    assert (before != after) == (what in ("cuda", "die", "exit")), "a poisoned process must go, a healthy one stays"


def test_jobs_that_wait_survive_the_death_of_the_worker(client: Client) -> None:
    dying, waiting = client.send(scripted("die")), client.send(scripted("points 2"))
    assert isinstance(last_reply(client, dying), m.ErrorReply)
    assert isinstance(last_reply(client, waiting), m.Result)


# --- the backend itself is killed ------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["kill", "terminate", "interrupt"])
def test_a_backend_that_ends_in_the_middle_is_noticed_and_can_be_started_again(own_home: Path, how: str) -> None:
    from image_to_3d.protocol.keys import load_or_create

    load_or_create("client")
    backend = Backend(own_home)
    try:
        backend.wait_ready()
        thread = ClientThread(lambda: published() or (_ for _ in ()).throw(ConnectionLost("backend.not_running")))
        try:
            ticket = thread.submit(scripted("work 60"))
            events = []
            wait_until(
                lambda: events.extend(thread.poll()) or any(isinstance(e.reply, m.ProgressReport) for e in events)
            )
            events.clear()
            sent = {"kill": signal.SIGKILL, "terminate": signal.SIGTERM, "interrupt": signal.SIGINT}[how]
            backend.process.send_signal(sent)
            wait_until(lambda: events.extend(thread.poll()) or any(e.ticket == ticket and e.error for e in events), 5)
            error = next(e.error for e in events if e.ticket == ticket and e.error)
            if how == "kill":
                assert isinstance(error, ConnectionLost)
            else:
                assert error.code is ErrorCode.SHUTTING_DOWN
                assert backend.process.wait(10) == 0
            backend.process.wait(10)
            _, alive = psutil.wait_procs(backend.family, 10)
            assert not alive, "workers outlive their backend"
            with running_backend(own_home) as fresh:
                again = thread.submit(scripted("points 7"))
                events.clear()
                wait_until(
                    lambda: events.extend(thread.poll()) or any(isinstance(e.reply, m.Result) for e in events), 60
                )
                assert next(e.ticket for e in events if isinstance(e.reply, m.Result)) == again
                assert fresh.pid != backend.pid
        finally:
            thread.close()
    finally:
        backend.end()


# --- the command line ------------------------------------------------------------------------------------------------


def run_cli(*arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "image_to_3d", *arguments], capture_output=True, text=True, timeout=timeout, check=False
    )


def test_serve_status_stop(own_home: Path) -> None:
    assert run_cli("status").returncode == 3
    with running_backend(own_home, test_engines=False) as backend:
        status = run_cli("status", "--json")
        assert status.returncode == 0 and json.loads(status.stdout)["pid"] == backend.pid
        assert "uptime" in run_cli("status").stdout
        second = run_cli("serve")
        assert second.returncode == 3 and "already running" in second.stderr and "Traceback" not in second.stderr
        stopped = run_cli("stop")
        assert stopped.returncode == 0 and "stopped" in stopped.stdout
        assert backend.process.wait(5) == 0
    assert run_cli("stop").returncode == 0
    assert published() is None and not published_path().exists()
    assert left_in(own_home) == []
    if os.name == "posix":
        assert (own_home / "config" / "server.key.json").stat().st_mode & 0o777 == 0o600
        assert (own_home / "config").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:notaport", "ipc:///tmp/x", "inproc://x", "nonsense", "tcp://"])
def test_addresses_that_cannot_be_used_are_a_sentence(own_home: Path, address: str) -> None:
    done = run_cli("serve", "--bind", address)
    assert done.returncode == 2 and "Traceback" not in done.stderr and len(done.stderr.strip().splitlines()) == 1


def test_threads_and_sockets_of_clients_are_given_back(backend: Backend) -> None:
    own = psutil.Process()
    with Client():
        pass
    threads, files = threading.active_count(), own.num_fds() if os.name == "posix" else 0
    for _ in range(3):
        with Client() as client:
            report(client)
    assert threading.active_count() <= threads
    if os.name == "posix":
        wait_until(lambda: own.num_fds() <= files, 5)
    assert zmq.Context.instance().closed is False
