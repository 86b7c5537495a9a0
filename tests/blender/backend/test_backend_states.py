"""Every state of the backend leads to a sentence and a button that can be pressed, never to a console."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

import drawn
from running_extension import RunningExtension

bpy = pytest.importorskip("bpy", reason="needs the bpy module of a real Blender")

NOWHERE = "image-to-3d-that-is-nowhere"


class FakeBackend:
    """Speaks the wire as another version would, or not at all.

    Args:
        ahead: how many versions of the protocol it is ahead of the extension.
        version: of its package.
        refuses: answers every request with the error that another version answers with.
        silent: accepts connections and says nothing.
    """

    def __init__(self, ahead: int = 0, version: str = "0.1.0", refuses: bool = False, silent: bool = False) -> None:
        import zmq

        from image_to_3d.protocol import PROTOCOL_VERSION
        from image_to_3d.protocol.keys import load_or_create

        self.protocol, self.version, self.refuses, self.silent = PROTOCOL_VERSION + ahead, version, refuses, silent
        self.key = load_or_create("server").public
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.curve_server = True
        self._socket.curve_secretkey = load_or_create("server").secret.encode()
        self._socket.setsockopt(zmq.LINGER, 100)
        self.port = self._socket.bind_to_random_port("tcp://127.0.0.1")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while not self._stop.is_set():
            if self._socket.poll(50):
                client, header = self._socket.recv_multipart()[:2]
                if not self.silent:
                    self._socket.send_multipart([client, *self._answer(header)])

    def _answer(self, header: bytes) -> list[bytes]:
        import msgpack

        from image_to_3d.protocol import messages as m
        from image_to_3d.protocol.wire import encode

        asked = msgpack.unpackb(header)
        if self.refuses:
            words = f"The other side speaks another protocol version, this one version {self.protocol}."
            return encode(m.ErrorReply("incompatible_version", words), asked["i"], self.protocol)
        if asked["t"] == "hello":
            engine = m.EngineState(
                "sharp",
                "",
                True,
                "research",
                False,
                "weights_missing",
                "",
                "For research.",
                "http://x",
                True,
                2_000_000,
            )
            reply = m.Welcome(
                self.version, self.protocol, "cpu", 8_000_000_000, 1, [engine], [], "Rendering on the CPU."
            )
            return encode(reply, asked["i"], self.protocol)
        report = {
            "workers": {"inference": {"ready": True}},
            "running": {"stage": "network", "fraction": 0.5},
            "waiting": 2,
        }
        return encode(m.State(report), asked["i"], self.protocol)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._socket.close()
        self._context.term()


@pytest.fixture
def quiet(addon: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ModuleType]:
    """No backend runs and none is installed."""
    monkeypatch.setenv("IMAGE_TO_3D_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("IMAGE_TO_3D_BACKEND", raising=False)
    monkeypatch.setattr(addon.backend.process, "EXECUTABLE", NOWHERE)
    session = RunningExtension(addon)
    session.forget_backend()
    addon.backend.settings.own_public_key.cache_clear()
    addon.backend.panel.invalidate()
    yield addon
    session.forget_backend()
    addon.backend.settings.own_public_key.cache_clear()
    bpy.context.preferences.system.use_online_access = False


@contextmanager
def fake(addon: ModuleType, published: bool = True, **how: object) -> Iterator[FakeBackend]:
    """A fake that is found like a real one, or only by its address."""
    from image_to_3d.protocol.endpoint import Endpoint, publish, withdraw

    backend = FakeBackend(**how)
    if published:
        publish(Endpoint(f"tcp://127.0.0.1:{backend.port}", backend.key, os.getpid(), backend.version))
    try:
        yield backend
    finally:
        RunningExtension(addon).forget_backend()
        withdraw(os.getpid())
        backend.close()


def test_connection(addon: ModuleType, seconds: float = 20) -> Exception | None:
    """Press *Test Connection*; what went wrong."""
    session = RunningExtension(addon)
    bpy.ops.image_to_3d.test_connection()
    end = time.monotonic() + seconds
    while session.pump():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.01)
    return session.failure


test_connection.__test__ = False


def remote(addon: ModuleType, address: str, key: str) -> None:
    preferences = addon.backend.settings.get()
    preferences.location, preferences.address, preferences.server_key = "REMOTE", address, key


def shown(addon: ModuleType, failure: Exception) -> drawn.Drawn:
    """What the main panel shows of a failure; every button in it can be pressed, and nothing has to be typed."""
    layout = drawn.Drawn()
    addon.backend.recovery_widgets.draw_failure(layout, drawn.context(bpy), failure)
    assert layout.buttons, f"no button for: {failure}"
    for name in layout.buttons:
        family, _, operator = name.partition(".")
        assert hasattr(getattr(bpy.ops, family), operator), name
        assert family == "screen" or getattr(getattr(bpy.ops, family), operator).poll(), name  # those need a window
    assert not re.search(r"image-to-3d \w+|pip install|[Tt]raceback", layout.text), layout.text
    return layout


def test_missing(quiet: ModuleType) -> None:
    failure = test_connection(quiet)
    said = shown(quiet, failure)
    assert said.text.startswith("The backend is not installed on this computer.")
    assert said.buttons["image_to_3d.install_backend"] == "Install Backend…"


def test_missing_when_a_photo_is_asked_for(quiet: ModuleType, panel_without_backend) -> None:
    panel_without_backend.choose_sample()
    panel_without_backend.press()
    panel_without_backend.finish()
    assert "image_to_3d.install_backend" in shown(quiet, RunningExtension(quiet).failure).buttons


def test_the_order_of_the_search(quiet: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    find, settings = quiet.backend.process.find_command, quiet.backend.process.BackendSettings
    program = tmp_path / "image-to-3d"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setattr(quiet.backend.process, "EXECUTABLE", "image-to-3d")
    monkeypatch.setenv("PATH", str(tmp_path))
    private = (sys.executable, "-m", "private")
    assert find(settings()).origin == "path"
    assert find(settings(private=private)) == quiet.backend.process.Command(private, "private")
    monkeypatch.setenv("IMAGE_TO_3D_BACKEND", f'"{sys.executable}" -m variable')
    assert find(settings(private=private)).parts == (sys.executable, "-m", "variable")
    assert find(settings(command=f'"{sys.executable}" -m mine', private=private)).origin == "preference"


@pytest.mark.parametrize("where", ["preference", "variable"])
def test_a_command_that_cannot_be_run(quiet: ModuleType, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    if where == "preference":
        quiet.backend.settings.get().command = "/nowhere/backend"
    else:
        monkeypatch.setenv("IMAGE_TO_3D_BACKEND", "/nowhere/backend")
    said = shown(quiet, test_connection(quiet))
    assert f"({where}" not in said.text and "cannot be run: /nowhere/backend" in said.text
    assert "preferences.addon_show" in said.buttons


def test_one_that_stops_while_it_starts(quiet: ModuleType) -> None:
    code = "raise SystemExit('There is no disk left.')"
    quiet.backend.settings.get().command = f'"{sys.executable}" -c "{code}"'
    said = shown(quiet, test_connection(quiet))
    assert "stopped while it was starting" in said.text and "There is no disk left." in said.text
    assert {"image_to_3d.restart_backend", "image_to_3d.copy_log"} <= set(said.buttons)


def test_one_that_does_not_come_up(quiet: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet.backend.process, "START_SECONDS", 0.5)
    quiet.backend.settings.get().command = f'"{sys.executable}" -c "import time; time.sleep(3)"'
    said = shown(quiet, test_connection(quiet))
    assert "did not start within" in said.text and "image_to_3d.restart_backend" in said.buttons


@pytest.mark.parametrize("refuses", [False, True])
@pytest.mark.parametrize(("ahead", "words"), [(-1, "older than this extension"), (1, "newer than this extension")])
def test_another_protocol(quiet: ModuleType, ahead: int, words: str, refuses: bool) -> None:
    with fake(quiet, ahead=ahead, refuses=refuses):
        said = shown(quiet, test_connection(quiet))
    assert words in said.text
    assert "image_to_3d.install_backend" in said.buttons
    assert ("screen.userpref_show" in said.buttons) == (ahead > 0)


@pytest.mark.parametrize(("version", "words"), [("0.0.9", "too old"), ("99.0.0", "too new"), ("0.1.7", "")])
def test_another_version_of_the_same_protocol(quiet: ModuleType, version: str, words: str) -> None:
    with fake(quiet, version=version):
        assert test_connection(quiet) is None
        layout = drawn.Drawn()
        quiet.backend.panel.draw_notice(layout, drawn.context(bpy))
        assert (words in layout.text) if words else not layout.texts
        assert bool(layout.buttons) == bool(words)


def test_what_test_connection_shows(quiet: ModuleType) -> None:
    with fake(quiet):
        assert test_connection(quiet) is None
        layout = drawn.Drawn()
        quiet.backend.panel.draw_connection(layout, drawn.context(bpy))
        for words in (
            "working",
            "version 0.1.0",
            "cpu",
            "8.0 GB",
            "sharp",
            "weights missing research",
            "on the CPU",
            "2",
        ):
            assert words in layout.text, words
        assert layout.properties["image_to_3d.fetch_weights"].engine == "sharp"


def test_one_that_hangs_is_restarted(quiet: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    import image_to_3d.protocol.client as client

    monkeypatch.setattr(client, "CONNECT_SECONDS", 0.5)
    with fake(quiet, silent=True):
        failure = test_connection(quiet)
        said = shown(quiet, failure)
    assert "did not answer in time" in said.text and "image_to_3d.restart_backend" in said.buttons


def test_one_that_crashed_is_started_again_by_the_button(addon: ModuleType, panel) -> None:
    session = RunningExtension(addon)
    assert test_connection(addon, 120) is None
    pid = session.status["pid"]
    os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    panel.pump_until(lambda: session.welcome is None)
    panel.choose_sample()
    assert bpy.ops.image_to_3d.restart_backend() == {"FINISHED"}
    panel.finish()
    assert session.failure is None and session.status["pid"] != pid
    panel.generate()


def test_a_crash_in_the_middle_of_a_photo(addon: ModuleType, panel) -> None:
    from image_to_3d.protocol import published

    panel.choose_sample()
    panel.press()
    panel.pump_until_working()
    os.kill(published().pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    panel.finish()
    said = shown(addon, panel.session.failure)
    assert "connection to the backend was lost" in said.text
    assert {"image_to_3d.restart_backend", "image_to_3d.copy_log"} <= set(said.buttons)


def test_another_computer_that_is_not_named(quiet: ModuleType) -> None:
    remote(quiet, "", "")
    said = shown(quiet, test_connection(quiet))
    assert "address of the other computer is missing" in said.text and "preferences.addon_show" in said.buttons


def test_stop_without_an_address_is_refused_with_a_sentence(quiet: ModuleType) -> None:
    with fake(quiet):
        assert test_connection(quiet) is None
        remote(quiet, "", "")
        assert bpy.ops.image_to_3d.stop_backend() == {"CANCELLED"}
        assert "address of the other computer is missing" in str(RunningExtension(quiet).failure)


@pytest.mark.parametrize(
    ("address", "key", "words"), [("studio", "x" * 40, "is not an address"), ("localhost:5555", "?", "is not a key")]
)
def test_another_computer_that_is_named_wrongly(quiet: ModuleType, address: str, key: str, words: str) -> None:
    bpy.context.preferences.system.use_online_access = True
    remote(quiet, address, key)
    said = shown(quiet, test_connection(quiet))
    assert words in said.text and "preferences.addon_show" in said.buttons


def test_another_computer_without_permission(quiet: ModuleType) -> None:
    bpy.context.preferences.system.use_online_access = False
    remote(quiet, "studio:5555", "x" * 40)
    said = shown(quiet, test_connection(quiet))
    assert "may not use the network" in said.text and "image_to_3d.allow_online_access" in said.buttons


def test_another_computer_that_does_not_listen(quiet: ModuleType) -> None:
    from image_to_3d.protocol.keys import load_or_create

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        remote(quiet, f"127.0.0.1:{taken.getsockname()[1]}", load_or_create("server").public)
        said = shown(quiet, test_connection(quiet))
    assert "No backend is listening at" in said.text and "firewall" in said.text
    assert {"image_to_3d.test_connection", "preferences.addon_show"} <= set(said.buttons)
    assert not bpy.ops.image_to_3d.restart_backend.poll(), "it cannot be restarted from here"


def test_another_computer_with_another_key(quiet: ModuleType) -> None:
    from image_to_3d.protocol.keys import load_or_create

    with fake(quiet, published=False) as backend:
        remote(quiet, f"127.0.0.1:{backend.port}", load_or_create("client").public)
        said = shown(quiet, test_connection(quiet))
    assert "server key" in said.text and "preferences.addon_show" in said.buttons


def test_another_computer_that_does_not_know_us(quiet: ModuleType, panel, tmp_path: Path) -> None:
    """A real backend of another account."""
    import subprocess

    home = tmp_path / "other"
    environment = {**os.environ, "IMAGE_TO_3D_HOME": str(home)}
    python = os.environ["IMAGE_TO_3D_TEST_PYTHON"]
    with subprocess.Popen(
        [python, "-m", "image_to_3d", "serve"], env=environment, stderr=subprocess.PIPE, text=True
    ) as p:
        try:
            address = p.stderr.readline().strip().removeprefix("Serving at tcp://")
            key = _key_of(home)
            remote(quiet, address, key)
            said = shown(quiet, test_connection(quiet))
            assert "does not know this client" in said.text
            assert said.buttons["image_to_3d.copy_authorise_command"] == "Copy Command with Key"
            assert bpy.ops.image_to_3d.copy_authorise_command() == {"FINISHED"}
            public = quiet.backend.settings.own_public_key()
            subprocess.run([python, "-m", "image_to_3d", "authorise", public], env=environment, check=True)
            assert test_connection(quiet, 120) is None
        finally:
            p.terminate()


def _key_of(home: Path) -> str:
    from image_to_3d.protocol.keys import load_or_create

    return load_or_create("server", home / "config").public


def test_weights_are_fetched_only_after_consent(quiet: ModuleType) -> None:
    from image_to_3d.core import ErrorCode, ImageTo3DError

    failure = ImageTo3DError(ErrorCode.WEIGHTS_MISSING, "weights.missing", args_name="sharp")
    RunningExtension(quiet).notices.fail("photo", failure)
    assert not bpy.ops.image_to_3d.fetch_weights.poll(), "the terms are not known yet"
    with fake(quiet):
        assert test_connection(quiet) is None
        said = shown(quiet, ImageTo3DError(ErrorCode.WEIGHTS_MISSING, "weights.missing", args_name="sharp"))
        assert "shows the licence" in said.text and "image_to_3d.fetch_weights" in said.buttons
        assert bpy.ops.image_to_3d.fetch_weights(engine="sharp") == {"CANCELLED"}
        assert RunningExtension(quiet).failure.code == ErrorCode.LICENCE_NOT_ACCEPTED
        bpy.context.preferences.system.use_online_access = False
        assert bpy.ops.image_to_3d.fetch_weights(engine="sharp", accepted=True) == {"CANCELLED"}
        assert "may not use the network" in str(RunningExtension(quiet).failure)


def test_weights_come_with_progress(quiet: ModuleType, tmp_path: Path) -> None:
    """A stand-in for the command: it notes its arguments and reports as the real one does."""
    program = tmp_path / "backend.py"
    program.write_text(
        "import pathlib, sys\npathlib.Path(__file__).with_suffix('.txt').write_text(' '.join(sys.argv[1:]))\n"
        "print('Progress 1000000 of 2000000')\nprint('It was fetched.')\n"
    )
    quiet.backend.settings.get().command = f'"{sys.executable}" "{program}"'
    bpy.context.preferences.system.use_online_access = True
    with fake(quiet):
        assert test_connection(quiet) is None
        assert bpy.ops.image_to_3d.fetch_weights(engine="sharp", accepted=True) == {"FINISHED"}
        task = RunningExtension(quiet).tasks.current
        RunningExtension(quiet).wait_for_task(20)
        assert program.with_suffix(".txt").read_text() == "weights fetch sharp --accept-licence --raw-progress"
        assert task.stage == "Fetching 1 of about 2 MB" and list(task.log) == ["It was fetched."]


def test_busy_and_leaving(quiet: ModuleType) -> None:
    from image_to_3d.core import ErrorCode, ImageTo3DError

    assert "image_to_3d.generate" in shown(quiet, ImageTo3DError(ErrorCode.BUSY, "backend.busy", count=64)).buttons
    leaving = ImageTo3DError(ErrorCode.SHUTTING_DOWN, "backend.stopping")
    assert "image_to_3d.restart_backend" in shown(quiet, leaving).buttons


def test_busy_tries_the_photo_again_that_was_refused(quiet: ModuleType) -> None:
    from image_to_3d.core import ErrorCode, ImageTo3DError

    recipe = quiet.scene.recipe.values(bpy.context.scene.image_to_3d.recipe)
    source = quiet.scene.photo_source.PhotoSource("holiday.jpg", path=Path("/holiday.jpg"))
    job = quiet.photos.job.DepthMapJob(recipe, bpy.context.scene.session_uid, 1.0, source)
    RunningExtension(quiet).queue._fail(job, ImageTo3DError(ErrorCode.BUSY, "backend.busy", count=64))
    said = shown(quiet, job.failure)
    assert "image_to_3d.generate" not in said.buttons and said.properties["image_to_3d.retry_job"].number == job.number
    RunningExtension(quiet).failed.clear()


def test_preferences_draw(quiet: ModuleType) -> None:
    for location in ("LOCAL", "REMOTE"):
        quiet.backend.settings.get().location = location
        layout = drawn.Drawn()
        holder = quiet.backend.settings.get()
        names = ("location", "command", "python", "idle_minutes", "address", "server_key", "engine")
        asked = type("Preferences", (), {"layout": layout, **{name: getattr(holder, name) for name in names}})
        type(holder).draw(asked, drawn.context(bpy))
        assert "image_to_3d.test_connection" in layout.buttons


def test_one_that_is_just_going_is_not_waited_for(
    quiet: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Stop, then a photo at once: the old process still holds the lock when the new one starts, and never says where it listens."""
    count = tmp_path / "starts"
    program = tmp_path / "backend.py"
    program.write_text(
        f"import pathlib, sys, time\np = pathlib.Path({str(count)!r})\nn = int(p.read_text()) if p.exists() else 0\n"
        "p.write_text(str(n + 1))\nprint('The backend is already running.') if n == 0 else time.sleep(30)\n"
    )
    monkeypatch.setattr(quiet.backend.process, "OTHER_SECONDS", 0.2)
    monkeypatch.setattr(quiet.backend.process, "START_SECONDS", 3.0)
    settings = quiet.backend.process.BackendSettings(command=f'"{sys.executable}" "{program}"')
    from image_to_3d.core import Cancelled

    with pytest.raises(Cancelled):
        quiet.backend.process.BackendProcess().find(
            settings, lambda: None, lambda: count.exists() and count.read_text() == "2"
        )
