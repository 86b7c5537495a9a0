"""What a backend that is left running must bear: nonsense, strangers, crashes, full disks, and being started twice."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import msgpack
import numpy as np
import psutil
import pytest
import zmq

from backend_process import Backend, report, running_backend, scripted, wait_until
from image_to_3d.core.errors import ErrorCode, ImageTo3DError
from image_to_3d.protocol import Client, ClientThread, ConnectionLost, Endpoint, published
from image_to_3d.protocol import messages as m
from image_to_3d.protocol.client import configure, frames_endpoint
from image_to_3d.protocol.endpoint import published_path
from image_to_3d.protocol.keys import AuthorisedClients, KeyPair, load_or_create
from image_to_3d.protocol.wire import decode_reply, encode
from image_to_3d.server.shared_folder import SharedFolder
from paths import SUPPORT

POSIX = pytest.mark.skipif(os.name != "posix", reason="signals and permissions of POSIX")
SOAK_SECONDS = float(os.environ.get("IMAGE_TO_3D_SOAK_SECONDS", "600"))


def host_and_port(endpoint: Endpoint) -> tuple[str, int]:
    host, _, port = endpoint.control.removeprefix("tcp://").rpartition(":")
    return host, int(port)


def says_hello(seconds: float = 1.0) -> None:
    """The backend answers a new client."""
    start = time.monotonic()
    with Client() as client:
        assert client.welcome.server_version
    assert time.monotonic() - start < seconds + 4.0, "far too late"


def new_keys() -> KeyPair:
    public, secret = zmq.curve_keypair()
    return KeyPair(public.decode(), secret.decode())


# --- nonsense --------------------------------------------------------------------------------------------------------

SEEDS = [
    m.Hello("fuzz", "1"),
    m.Status(),
    m.Cancel(3),
    m.DropScene("x"),
    m.Predict(engine="scripted", photo_name="points 1", photo_pixels=np.zeros((2, 2, 3), np.uint8)),
    m.Predict(depth_metres=np.ones((2, 3), np.float32), mm35=30.0),
    m.Render(1, [m.Instance("0" * 32, [0.0] * 16)], m.Camera(4, 3, [1.0] * 4, [0.0] * 16)),
    m.UploadScene(
        positions=np.ones((2, 3), np.float32),
        scales=np.ones((2, 3), np.float32),
        rotations=np.ones((2, 4), np.float32) / 2,
        colours=np.ones((2, 3), np.float32),
        opacities=np.ones(2, np.float32),
    ),
]
ENCODED = [[bytes(frame) for frame in encode(message, 1)] for message in SEEDS]
ODDITIES = [
    None,
    True,
    -1,
    2**63,
    1e308,
    "",
    "x" * 300,
    b"\xff",
    [],
    {},
    [[]] * 50,
    {"a": {"b": {}}},
    ["f4"],
    "predict",
    "error",
]


def nested(depth: int) -> object:
    value: object = 0
    for _ in range(depth):
        value = [value]
    return value


def damaged(rng: random.Random) -> list[bytes]:
    """One message that somebody broken or wicked might send."""
    kind = rng.randrange(6)
    if kind == 0:
        return [rng.randbytes(rng.randrange(80)) for _ in range(rng.randrange(1, 5))]
    frames = list(rng.choice(ENCODED))
    if kind == 1:  # flipped bytes
        which = rng.randrange(len(frames))
        data = bytearray(frames[which])
        for _ in range(rng.randrange(1, 4)):
            if data:
                data[rng.randrange(len(data))] = rng.randrange(256)
        frames[which] = bytes(data)
        return frames
    header = msgpack.unpackb(frames[0])
    if kind == 2:  # a value of another kind somewhere
        place = header if rng.random() < 0.4 or not header["f"] else header["f"]
        place[rng.choice([*place, "new"])] = rng.choice(ODDITIES)
    elif kind == 3:  # other shapes and types
        shape = [rng.choice([-1, 0, 1, 2**31, 2**62, 2**64 - 1]) for _ in range(rng.randrange(4))]
        header["b"] = [["depth_metres", rng.choice(["<f4", "|O", ">f8", "V99999999"]), shape]] * rng.randrange(1, 4)
    elif kind == 4:  # parts too many or too few
        return (frames + [b"x"] * rng.randrange(40))[: rng.randrange(1, 45)]
    else:
        header["f"] = {"job": nested(rng.randrange(1, 400)), "m": "0" * 32}
        header["m"] = rng.choice(["0" * 32, "../../etc/passwd", 5])
    try:
        return [msgpack.packb(header), *frames[1:]]
    except (OverflowError, ValueError):
        return [b"\x81"]


def harmless(frames: list[bytes]) -> bool:
    return b"shutdown" not in frames[0]


def bombard(count: int, seed: int) -> None:
    """Send damaged messages to both sockets; every reply must be one that the protocol knows."""
    rng = random.Random(seed)
    with Client() as control, Client(frames_endpoint(control)) as frames:
        for number in range(count):
            sender = rng.choice((control, frames))
            message = damaged(rng)
            if harmless(message):
                sender._socket.send_multipart(message)
            if number % 50 == 49:
                for client in (control, frames):
                    while client._socket.poll(0):
                        decode_reply(client._socket.recv_multipart(), client._open_shared)


def footprint(pid: int) -> tuple[int, int, int]:
    """(bytes, descriptors, threads) of a process."""
    process = psutil.Process(pid)
    return process.memory_info().rss, process.num_fds() if os.name == "posix" else 0, process.num_threads()


def check_bombardment(backend: Backend, count: int) -> None:
    with Client() as client:
        client.call(SEEDS[-1], timeout=20)  # starts the render worker
    backend.wait_ready()
    bombard(max(500, count // 3), seed=1)  # until caches and the allocator's pools have their size
    with Client() as client:
        wait_until(lambda: report(client)["waiting"] == 0 and report(client)["running"] is None)
    memory, files, threads = footprint(backend.pid)
    for part in range(10):
        bombard(count // 10, seed=part + 2)
        says_hello()
    with Client() as client:
        wait_until(lambda: report(client)["waiting"] == 0 and report(client)["running"] is None)
        assert isinstance(client.call(scripted("points 3"), timeout=30), m.Result)
    wait_until(lambda: footprint(backend.pid)[1] <= files, 10)
    wait_until(lambda: footprint(backend.pid)[2] <= threads, 10)  # an upload has threads of its own while it lasts
    wait_until(lambda: footprint(backend.pid)[0] < memory + 30_000_000, 60)  # what it has not read yet is memory, too
    assert backend.process.poll() is None
    assert "Traceback" not in backend.said()


def test_thousands_of_damaged_messages_leave_no_trace(backend: Backend) -> None:
    check_bombardment(backend, 3_000)


@pytest.mark.slow
def test_a_hundred_thousand_damaged_messages_leave_no_trace(backend: Backend) -> None:
    check_bombardment(backend, 100_000)


# --- strangers -------------------------------------------------------------------------------------------------------


def test_port_scanners_and_slow_talkers_do_not_disturb(backend: Backend) -> None:
    endpoint = published()
    assert endpoint is not None
    files = footprint(backend.pid)[1]
    half_open = [socket.create_connection(host_and_port(endpoint)) for _ in range(30)]
    for number, talker in enumerate(half_open):
        talker.sendall([b"", b"\xff", b"GET / HTTP/1.1\r\n\r\n", b"\xff\0\0\0\0\0\0\0\x01\x7f\x03"][number % 4])
    for _ in range(50):
        socket.create_connection(host_and_port(endpoint)).close()
    says_hello()
    with Client() as client:
        wait_until(lambda: report(client)["clients"] == 1, 15)  # those who do not shake hands are thrown out
    for talker in half_open:
        talker.close()
    wait_until(lambda: footprint(backend.pid)[1] <= files, 15)


@pytest.mark.parametrize("mechanism", ["none", "plain"])
def test_peers_without_encryption_get_nothing(backend: Backend, mechanism: str) -> None:
    endpoint = published()
    assert endpoint is not None
    with zmq.Context() as context:
        peer = context.socket(zmq.DEALER)
        peer.linger = 0
        if mechanism == "plain":
            peer.plain_username, peer.plain_password = b"admin", b"admin"
        peer.connect(endpoint.control)
        peer.send_multipart([bytes(frame) for frame in encode(m.Status(), 1)])
        assert not peer.poll(700)
        peer.close()
    says_hello()


def test_a_client_with_the_wrong_server_key_gets_nothing(backend: Backend) -> None:
    endpoint = published()
    assert endpoint is not None
    with pytest.raises(ConnectionLost):
        Client(Endpoint(endpoint.control, new_keys().public))


def test_clients_are_let_in_by_key_and_shut_out_again_at_once(backend: Backend) -> None:
    stranger, endpoint = new_keys(), published()
    with pytest.raises(ConnectionLost, match="does not know this client") as caught:
        Client(endpoint, stranger)
    assert stranger.public in caught.value.sentence("cli").replace("'\"'\"'", "'")
    clients = AuthorisedClients()
    clients.add(stranger.public, "a laptop")
    with Client(endpoint, stranger) as client:
        assert report(client)["pid"] == backend.pid
        with pytest.raises(ImageTo3DError) as refused:
            client.call(m.Shutdown(), timeout=5)
        assert refused.value.code is ErrorCode.UNAUTHORISED, "only the own account stops the backend"
        clients.revoke(stranger.public)
        with pytest.raises(ImageTo3DError) as refused:
            client.call(m.Status(), timeout=5)
        assert refused.value.code is ErrorCode.UNAUTHORISED
    with pytest.raises(ConnectionLost):
        Client(endpoint, stranger)


def run_cli(*arguments: str, **more: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "image_to_3d", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **more,
    )  # type: ignore[call-overload]


def test_authorise_lists_adds_and_revokes(own_home: Path) -> None:
    key = "x" + new_keys().public[1:]  # the first character must not be taken for an option
    assert run_cli("authorise", key, "--name", "laptop").returncode == 0
    listed = json.loads(run_cli("authorise", "list", "--json").stdout)
    assert listed["authorised"] == {key: "laptop"}
    assert listed["client"] == load_or_create("client").public and listed["server"] == load_or_create("server").public
    assert "laptop" in run_cli("authorise", "list").stdout
    assert run_cli("authorise", "revoke", key).returncode == 0
    for wrong in (
        ("authorise", "revoke", key),
        ("authorise", "short"),
        ("authorise", "revoke"),
        ("authorise", key, key),
    ):
        done = run_cli(*wrong)
        assert done.returncode == 2 and "Traceback" not in done.stderr and done.stderr.startswith("image-to-3d: ")


@POSIX
@pytest.mark.parametrize("name", ["server.key.json", "client.key.json"])
def test_keys_that_others_can_read_are_not_used(own_home: Path, name: str) -> None:
    load_or_create("server"), load_or_create("client")
    (own_home / "config" / name).chmod(0o644)
    done = run_cli("serve")
    assert done.returncode == 3 and "chmod 600" in done.stderr and "Traceback" not in done.stderr
    assert run_cli("doctor").returncode == 3


@POSIX
def test_a_list_of_clients_that_others_can_change_is_not_believed(own_home: Path) -> None:
    AuthorisedClients().add("x" * 40, "somebody")
    (own_home / "config" / "authorised_clients.json").chmod(0o666)
    with pytest.raises(ImageTo3DError, match="Other users can change"):
        AuthorisedClients().listed()


@pytest.mark.parametrize("text", ["", "{}", "nonsense", '{"public": "a", "secret": "b"}', "[]"])
def test_damaged_keys_are_a_sentence(own_home: Path, text: str) -> None:
    load_or_create("server")
    path = own_home / "config" / "server.key.json"
    path.write_text(text)
    with pytest.raises(ImageTo3DError, match="damaged"):
        load_or_create("server")


def test_processes_that_start_at_once_agree_on_one_key(own_home: Path) -> None:
    found: list[KeyPair] = []
    threads = [threading.Thread(target=lambda: found.append(load_or_create("client"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and len(set(found)) == 1
    assert [path.name for path in (own_home / "config").iterdir()] == ["client.key.json"]


# --- clients that vanish ---------------------------------------------------------------------------------------------

ENDLESS = """
import sys, time; sys.path.insert(0, sys.argv[1])
from backend_process import scripted
from image_to_3d.protocol import Client
client = Client()
client.send(scripted("work 300")); client.send(scripted("work 300"))
print("sent", flush=True)
while True: client.receive(1.0)
"""


@POSIX
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
def test_jobs_of_a_client_that_vanishes_are_dropped(backend: Backend, how: int) -> None:
    process = subprocess.Popen([sys.executable, "-c", ENDLESS, str(SUPPORT)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None and process.stdout.readline() == "sent\n"
        with Client() as client:
            wait_until(lambda: report(client)["waiting"] == 1)
            process.send_signal(how)
            wait_until(lambda: report(client)["waiting"] == 0 and report(client)["running"] is None, 15)
    finally:
        process.kill()
        process.communicate()


def test_a_client_that_does_not_read_holds_nobody_up(backend: Backend) -> None:
    endpoint = published()
    assert endpoint is not None
    with zmq.Context() as context:
        deaf = context.socket(zmq.DEALER)
        deaf.rcvhwm = 1
        configure(deaf, endpoint, load_or_create("client"))
        deaf.connect(endpoint.control)
        for number in range(2000):
            deaf.send_multipart([bytes(frame) for frame in encode(m.Status(), number)])
        says_hello()
        deaf.close(0)


# --- starting and ending ---------------------------------------------------------------------------------------------


def test_of_servers_that_start_at_once_one_serves(own_home: Path) -> None:
    load_or_create("client")
    backends = [Backend(own_home) for _ in range(3)]
    try:
        wait_until(lambda: sum(b.process.poll() is None for b in backends) == 1 and published() is not None, 60)
        (survivor,) = (b for b in backends if b.process.poll() is None)
        assert survivor.wait_published().pid == survivor.pid
        says_hello()
        for loser in backends:
            if loser is not survivor:
                assert loser.process.returncode == 3
    finally:
        for one in backends:
            one.end()


def test_what_a_crash_left_behind_is_recognised_and_removed(own_home: Path) -> None:
    load_or_create("client")
    crashed = Backend(own_home)
    shared = Path(crashed.wait_published().shared)
    crashed.wait_ready()
    with Client() as client:
        client.call(scripted("points 1000"), timeout=30)
    crashed.remember_family()
    crashed.process.kill()
    crashed.process.wait()
    assert published_path().exists() and shared.exists()
    assert published() is None
    with running_backend(own_home) as fresh:
        assert not shared.exists()
        assert published().pid == fresh.pid  # type: ignore[union-attr]
    crashed.end()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"control": 5}', '{"control": "x", "server_key": "y", "pid": "z"}'])
def test_a_damaged_address_file_means_no_backend(own_home: Path, text: str) -> None:
    published_path().parent.mkdir(parents=True)
    published_path().write_text(text)
    assert published() is None


def test_it_leaves_when_nobody_needs_it_and_not_before(own_home: Path) -> None:
    with running_backend(own_home, "--idle-exit", "0.03") as backend, Client() as client:
        client.call(scripted("work 2.2"), timeout=30)  # longer than the 1.8 seconds that it stays for nothing
        assert backend.process.poll() is None
        assert backend.process.wait(15) == 0  # while somebody is connected who asks for nothing


def test_who_only_looks_does_not_keep_it(own_home: Path) -> None:
    with running_backend(own_home, "--idle-exit", "0.03") as backend, Client() as client:
        deadline = time.monotonic() + 15
        with pytest.raises(ImageTo3DError):
            while time.monotonic() < deadline:
                report(client)
                time.sleep(0.2)
        assert backend.process.wait(5) == 0


def test_a_connected_client_notices_quietly_and_the_next_photo_starts_another(own_home: Path) -> None:
    load_or_create("client")
    backends: list[Backend] = []

    def find() -> Endpoint:
        if published() is None:
            backends.append(Backend(own_home, "--idle-exit", "0.03"))
            return backends[-1].wait_published()
        return published()  # type: ignore[return-value]

    thread = ClientThread(find)
    events: list = []

    def make_a_photo_and_wait(count: int) -> None:
        ticket = thread.submit(scripted("points"))
        wait_until(
            lambda: (
                events.extend(thread.poll())
                or any(e.ticket == ticket and isinstance(e.reply, m.Result) for e in events)
            ),
            30,
        )
        assert len(backends) == count
        assert backends[-1].process.wait(15) == 0
        wait_until(lambda: events.extend(thread.poll()) or sum(e.error is not None for e in events) == count)

    try:
        make_a_photo_and_wait(1)
        make_a_photo_and_wait(2)
        assert all(e.ticket == 0 for e in events if e.error is not None)
    finally:
        thread.close()
        for one in backends:
            one.end()


def test_an_idle_engine_gives_its_memory_back_and_comes_back_with_the_next_photo(own_home: Path) -> None:
    with running_backend(own_home, "--idle-unload", "0.02") as backend, Client() as client:
        backend.wait_ready()
        for _ in range(2):
            client.call(scripted("points"), timeout=30)
            wait_until(lambda: report(client)["engine"] == "scripted")
            wait_until(lambda: report(client)["engine"] is None)
        client.call(scripted("work 2"), timeout=30)  # not while it is at work
        assert backend.process.poll() is None


def test_folders_in_use_are_not_taken_for_left_over(own_home: Path) -> None:
    first, second = SharedFolder(), SharedFolder()
    try:
        assert first.path.is_dir() and second.path.is_dir() and first.path != second.path
        if os.name == "posix":
            assert first.path.stat().st_mode & 0o777 == 0o700
            name = first.write([b"abc"])
            assert (first.path / name).stat().st_mode & 0o777 == 0o600
    finally:
        first.close()
        second.close()
    assert not first.path.exists() and not second.path.exists()


def test_upload_is_repeated_after_the_connection_was_lost(own_home: Path) -> None:
    load_or_create("client")
    scene = SEEDS[-1]
    backend = Backend(own_home)
    backend.wait_ready()
    backends = [backend]

    def find() -> Endpoint:
        if published() is None:
            backends.append(Backend(own_home))
            return backends[-1].wait_published()
        return published()  # type: ignore[return-value]

    thread = ClientThread(find)
    try:
        thread.submit(m.Status())
        wait_until(lambda: any(isinstance(e.reply, m.State) for e in thread.poll()))
        if os.name == "posix":
            backend.process.send_signal(signal.SIGSTOP)  # takes the upload in and never answers
        ticket = thread.submit(scene)
        time.sleep(0.3)
        backend.remember_family()
        backend.process.kill()
        backend.process.wait()
        events: list = []
        wait_until(lambda: events.extend(thread.poll()) or any(e.ticket == ticket and e.reply for e in events), 30)
        assert not any(e.ticket == ticket and e.error for e in events)
    finally:
        thread.close()
        for one in backends:
            one.end()


def test_a_backend_that_is_just_going_is_looked_for_again(backend: Backend) -> None:
    there = published()
    assert there is not None
    with socket.create_server(("127.0.0.1", 0)) as closing:
        gone = replace(there, control=f"tcp://127.0.0.1:{closing.getsockname()[1]}")
    found = iter([gone, gone, there])
    thread = ClientThread(lambda: next(found))
    try:
        ticket = thread.submit(m.Status())
        events: list = []
        wait_until(lambda: events.extend(thread.poll()) or any(e.ticket == ticket for e in events))
        assert isinstance(events[-1].reply, m.State), events
    finally:
        thread.close()


def test_where_nothing_listens_is_said_after_a_moment(own_home: Path) -> None:
    load_or_create("client")
    with socket.create_server(("127.0.0.1", 0)) as closing:
        control = f"tcp://127.0.0.1:{closing.getsockname()[1]}"
    thread = ClientThread(lambda: Endpoint(control, load_or_create("server").public, os.getpid()))
    try:
        ticket = thread.submit(m.Status())
        events: list = []
        wait_until(lambda: events.extend(thread.poll()) or any(e.ticket == ticket for e in events))
        assert "No backend is listening" in str(events[-1].error)
    finally:
        thread.close()


# --- full disks, logs, clocks ----------------------------------------------------------------------------------------


@POSIX
def test_no_room_for_a_result_is_a_reply(own_home: Path) -> None:
    import resource

    load_or_create("client")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # as Python does; a too long file is then an OSError like a full disk
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, before[1]))
    try:
        backend = Backend(own_home)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    try:
        backend.wait_ready()
        with Client() as client:
            for _ in range(2):
                with pytest.raises(ImageTo3DError) as caught:
                    client.call(scripted("points 200000"), timeout=30)
                assert caught.value.code is ErrorCode.OUT_OF_MEMORY and "disk" in caught.value.hint
                assert isinstance(client.call(scripted("points 100"), timeout=30), m.Result)
    finally:
        backend.end()


@POSIX
def test_a_full_disk_while_a_ply_is_written_leaves_nothing(tmp_path: Path) -> None:
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000));"
        f"sys.path.insert(0, {str(SUPPORT)!r});"
        "from backend_with_test_engines import cloud_of; from image_to_3d.io.ply import write_ply;"
        "from image_to_3d.core.errors import ImageTo3DError\n"
        "try: write_ply(sys.argv[1], cloud_of(100_000))\n"
        "except ImageTo3DError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "scene.ply")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "cannot be written" in done.stdout, done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_log_names_neither_photos_nor_their_contents(own_home: Path) -> None:
    with running_backend(own_home) as backend, Client() as client:
        for what in ("raise kitchen-of-mrs-smith", "points 10"):
            try:
                client.call(scripted(what), timeout=60)
            except ImageTo3DError as error:
                assert error.code is ErrorCode.ENGINE_FAILED
        logged = "".join(p.read_text("utf-8") for p in (own_home / "log").iterdir()) + backend.said()
        assert "failed" in logged, "the failure itself is in the log"
        assert "kitchen" not in logged


def test_no_temporary_file_is_left_whatever_becomes_of_a_photo(own_home: Path) -> None:
    with running_backend(own_home) as backend, Client() as client:
        folder = Path(backend.wait_published().shared)
        for what in ("points 10", "raise", "memory", "die", "points 10"):
            try:
                client.call(scripted(what), timeout=60)
            except ImageTo3DError as error:
                assert not what.startswith("points"), error
        with Client() as other:
            ticket = other.send(scripted("work 60"))
            wait_until(lambda: report(client)["running"] is not None)
            other.send(m.Cancel(ticket))
            wait_until(lambda: report(client)["running"] is None)
        scenes = report(client)["scenes"]["count"]
        wait_until(lambda: len([p for p in folder.iterdir() if p.name != "lock"]) <= scenes, 15)


def test_nothing_depends_on_the_clock_of_the_wall() -> None:
    package = Path(sys.modules["image_to_3d"].__file__ or "").parent
    used = {
        path.name: re.findall(r"time\.time\(\)", path.read_text("utf-8"))
        for folder in ("server", "protocol")
        for path in (package / folder).glob("*.py")
    }
    assert {name for name, found in used.items() if found} <= {"shared_folder.py"}, "deadlines take the monotonic clock"


# --- many, and for long ----------------------------------------------------------------------------------------------


def converse(index: int, seconds: float, done: list[int], broken: list[str]) -> None:
    """A client that does a bit of everything."""
    rng = random.Random(index)
    deadline = time.monotonic() + seconds
    try:
        with Client() as client:
            while time.monotonic() < deadline:
                what = rng.randrange(4)
                if what == 0:
                    reply = client.call(scripted(f"points {rng.randrange(1, 20000)}"), timeout=120)
                    assert isinstance(reply, m.Result)
                    client.call(m.DropScene(reply.scene), timeout=60)
                elif what == 1:
                    job = client.send(scripted("work 30"))
                    client.send(m.Cancel(job))
                    while (
                        (found := client.receive(60)) is None
                        or found[0] != job
                        or not isinstance(found[1], m.ErrorReply)
                    ):
                        pass
                elif what == 2:
                    upload = client.call(SEEDS[-1], timeout=60)
                    assert isinstance(upload, m.Accepted) and upload.scene
                else:
                    report(client)
                done[index] += 1
    except ImageTo3DError as error:
        if error.code is not ErrorCode.BUSY:
            broken.append(str(error))
    except AssertionError as error:
        broken.append(repr(error))


@pytest.mark.slow
def test_thirty_two_clients_at_once(backend: Backend) -> None:
    done, broken = [0] * 32, []
    threads = [threading.Thread(target=converse, args=(i, 15.0, done, broken)) for i in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(180)
    assert not broken and min(done) > 0
    says_hello()


@pytest.mark.slow
@pytest.mark.timeout(SOAK_SECONDS + 300)
def test_a_soak_leaks_nothing(own_home: Path) -> None:
    with running_backend(own_home) as backend:
        backend.wait_ready()
        family = [backend.pid, *(p.pid for p in psutil.Process(backend.pid).children())]

        def spell(seconds: float) -> None:
            done, broken = [0] * 4, []
            threads = [threading.Thread(target=converse, args=(i, seconds, done, broken)) for i in range(4)]
            for thread in threads:
                thread.start()
            bombard(200, seed=int(seconds))
            for thread in threads:
                thread.join()
            assert not broken and min(done) > 0

        spell(20)
        before = [footprint(pid) for pid in family]
        end = time.monotonic() + SOAK_SECONDS
        while time.monotonic() < end:
            spell(20)
        wait_until(lambda: all(footprint(p)[1] <= b[1] for p, b in zip(family, before, strict=True)), 10)
        for pid, (memory, _, threads_before) in zip(family, before, strict=True):
            now = footprint(pid)
            assert now[2] <= threads_before
            assert now[0] < memory + 40_000_000
        with Client() as client:
            assert report(client)["scenes"]["bytes"] < 1_000_000  # small uploads; every result was dropped
