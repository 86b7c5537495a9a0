"""Install Backend… in real Blender: real pip with an index of stand-ins, then the backend that was installed makes a photo."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType

import pytest

import drawn
import stand_ins
from paths import BACKEND_PYTHON
from running_extension import RunningExtension

bpy = pytest.importorskip("bpy", reason="needs the bpy module of a real Blender")


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stand-ins beside the real packages of the backend's environment."""
    if not BACKEND_PYTHON:
        pytest.skip("IMAGE_TO_3D_TEST_PYTHON does not name the backend's Python")
    code = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    said = subprocess.run([BACKEND_PYTHON, "-c", code], capture_output=True, text=True, check=True)
    return stand_ins.write_index(tmp_path_factory.mktemp("index") / "wheels", Path(said.stdout.strip()))


@pytest.fixture
def machine(addon: ModuleType, index: Path, monkeypatch: pytest.MonkeyPatch):
    """A machine without a backend, with an index that real pip can reach."""
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "IMAGE_TO_3D_BACKEND"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setattr(addon.backend.process, "EXECUTABLE", "image-to-3d-that-is-nowhere")
    RunningExtension(addon).forget_backend()
    addon.backend.process.stop_running()
    bpy.context.preferences.system.use_online_access = True
    addon.backend.settings.get().python = BACKEND_PYTHON
    addon.backend.panel.invalidate()
    yield addon
    task = RunningExtension(addon).tasks.current
    if task is not None:
        task.cancelled.set()
        task.ended.wait(20)
        RunningExtension(addon).pump()
    RunningExtension(addon).tasks.dismiss()
    RunningExtension(addon).forget_backend()
    addon.backend.process.stop_running()
    addon.backend.installer.records.remove(addon.backend.installation.folder())
    addon.backend.settings.get().property_unset("python")
    bpy.context.preferences.system.use_online_access = False


def notice(addon: ModuleType) -> drawn.Drawn:
    """What the main panel says about the backend."""
    addon.backend.panel.invalidate()
    layout = drawn.Drawn()
    addon.backend.panel.draw_notice(layout, drawn.context(bpy))
    return layout


def backend_panel(addon: ModuleType) -> drawn.Drawn:
    addon.backend.panel.invalidate()
    layout = drawn.Drawn()
    addon.backend.panel.IMAGE_TO_3D_PT_backend.draw(type("P", (), {"layout": layout}), drawn.context(bpy))
    return layout


def test_from_nothing_to_a_photo_then_repair_then_remove(machine: ModuleType, panel) -> None:
    assert "not installed on this computer" in notice(machine).text
    assert {"image_to_3d.install_backend", "image_to_3d.copy_install_command"} <= set(notice(machine).buttons)
    own = {path.name for path in Path(bpy.__file__).parents[1].iterdir()}
    assert bpy.ops.image_to_3d.install_backend() == {"FINISHED"}
    assert not bpy.ops.image_to_3d.install_backend.poll()
    assert "Installing the backend" in notice(machine).text
    assert "image_to_3d.cancel_installation" in notice(machine).buttons
    RunningExtension(machine).wait_for_task(120)
    assert notice(machine).texts == []

    panel.finish()  # it was asked what it can do
    installed = machine.backend.installation.found()
    assert installed is not None and installed.folder == machine.backend.installation.folder()
    assert panel.session.failure is None and panel.session.status["workers"]["inference"]["ready"]
    shown = backend_panel(machine).text
    assert "Connected, version" in shown and "Rendering on the CPU." in shown
    assert "research" in shown and "weights missing" in shown and "GB free" in shown
    assert _program_of(panel.session.status["pid"]) == Path(installed.command[0])

    panel.choose_sample()
    assert panel.generate().points is not None

    assert bpy.ops.image_to_3d.install_backend() == {"FINISHED"}  # Repair… is the same button
    RunningExtension(machine).wait_for_task(120)
    panel.finish()
    repaired = machine.backend.installation.found()
    assert repaired.environment != installed.environment and not (installed.folder / installed.environment).exists()
    assert _program_of(panel.session.status["pid"]) == Path(repaired.command[0])

    assert bpy.ops.image_to_3d.remove_backend() == {"FINISHED"}
    RunningExtension(machine).wait_for_task(60)
    assert not installed.folder.exists() and panel.session.welcome is None
    assert "not installed on this computer" in notice(machine).text
    assert {path.name for path in Path(bpy.__file__).parents[1].iterdir()} == own


def _program_of(pid: int) -> Path:
    """The interpreter as it was called; a link in an environment stays a link."""
    command = Path(f"/proc/{pid}/cmdline")
    if not command.exists():
        pytest.skip("needs /proc")
    return Path(command.read_bytes().split(b"\0")[0].decode())


def test_cancel_and_resume(machine: ModuleType) -> None:
    assert bpy.ops.image_to_3d.install_backend() == {"FINISHED"}
    task = RunningExtension(machine).tasks.current
    while not any("pip" in line for line in list(task.log)) and not task.ended.is_set():
        task.ended.wait(0.01)
    assert bpy.ops.image_to_3d.cancel_installation() == {"FINISHED"}
    task.ended.wait(10)
    RunningExtension(machine).pump()
    assert RunningExtension(machine).tasks.current is None and task.failure.problem == "cancelled"
    said = notice(machine)
    assert "It was cancelled." in said.text and said.buttons["image_to_3d.install_backend"] == "Resume…"
    assert bpy.ops.image_to_3d.dismiss() == {"FINISHED"}
    assert "not completely installed" in notice(machine).text
    assert bpy.ops.image_to_3d.install_backend() == {"FINISHED"}
    RunningExtension(machine).wait_for_task(120)
    assert machine.backend.installation.state() == "installed"


def test_a_failure_is_a_sentence_a_log_and_a_button(
    machine: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    bpy.ops.image_to_3d.install_backend()
    with pytest.raises(
        machine.backend.installer.errors.InstallError,
        match=r"(No matching distribution found for|Cannot install) torch",
    ):
        RunningExtension(machine).wait_for_task(60)
    said = notice(machine)
    assert "pip could not install the backend: " in said.text
    assert {"image_to_3d.install_backend", "image_to_3d.copy_log", "image_to_3d.dismiss"} <= set(said.buttons)
    assert "torch" in backend_panel(machine).text, "the log is in the panel"
    assert bpy.ops.image_to_3d.copy_log() == {"FINISHED"}


def test_without_permission_nothing_is_fetched(machine: ModuleType) -> None:
    bpy.context.preferences.system.use_online_access = False
    assert bpy.ops.image_to_3d.install_backend("INVOKE_DEFAULT") == {"CANCELLED"}
    failure = RunningExtension(machine).failure
    assert failure.message == "Blender may not use the network." and RunningExtension(machine).tasks.current is None
    assert "image_to_3d.allow_online_access" in {b.operator for b in machine.backend.recovery.remedy(failure).buttons}
    assert bpy.ops.image_to_3d.allow_online_access() == {"FINISHED"}
    assert bpy.app.online_access and RunningExtension(machine).failure is None


def test_a_python_that_does_not_fit_is_named(machine: ModuleType) -> None:
    machine.backend.settings.get().python = "/bin/false"
    bpy.ops.image_to_3d.install_backend()
    with pytest.raises(machine.backend.installer.errors.InstallError, match="/bin/false is not a Python"):
        RunningExtension(machine).wait_for_task(30)
    assert "preferences.addon_show" in notice(machine).buttons


def test_the_question_says_what_how_large_and_where(machine: ModuleType) -> None:
    operator = machine.backend.operators.installation.IMAGE_TO_3D_OT_install_backend
    layout = drawn.Drawn()
    asked = type("Asked", (), {"layout": layout, "torch": "auto"})
    RunningExtension(machine).of(machine.backend.installation.Machine).invalidate()
    operator.draw(asked, drawn.context(bpy))
    assert "Looking for Python" in layout.text
    assert "image_to_3d.install_backend" in notice(machine).buttons, "looks as soon as the button is there"
    RunningExtension(machine).workers.in_lane("machine").ended.wait(20)
    RunningExtension(machine).pump()
    operator.draw(asked, drawn.context(bpy))
    assert "PyTorch 2." in layout.text and "GB on disk" in layout.text and "no NVIDIA GPU" in layout.text
    assert "".join(layout.texts).find(str(machine.backend.installation.folder())[-20:]) > 0


def test_the_command_does_what_the_button_does(machine: ModuleType) -> None:
    line = machine.backend.installation.command_line()
    assert str(machine.backend.installation.folder()) in line and "installer" in line
    done = subprocess.run([*_split(line), "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and "environment of its own" in done.stdout
    assert bpy.ops.image_to_3d.copy_install_command() == {"FINISHED"}


def _split(line: str) -> list[str]:
    import shlex

    return shlex.split(line)


def test_disabling_while_installing_leaves_no_thread(machine: ModuleType) -> None:
    import addon_utils

    bpy.ops.image_to_3d.install_backend()
    addon_utils.disable(machine.__name__)
    try:
        assert not any(thread.name == "image-to-3d install" for thread in threading.enumerate())
        assert not bpy.app.timers.is_registered(machine.runtime.pump._on_timer)
    finally:
        addon_utils.enable(machine.__name__)


def test_an_installation_of_another_version_asks_to_be_updated(machine: ModuleType) -> None:
    import json

    folder = machine.backend.installation.folder(create=True)
    python = machine.backend.installer.records.interpreter(folder / "a")
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    record = {"environment": "a", "version": "0.0.1", "digest": "old", "torch": "2", "torch_build": "cpu"}
    (folder / "installation.json").write_text(json.dumps({**record, "python": "3.11", "base": sys.executable}))
    said = notice(machine)
    assert "not the one that this extension brings" in said.text
    assert said.buttons["image_to_3d.install_backend"] == "Update Backend…"
    python.unlink()
    said = notice(machine)
    assert "Python that it was made with is gone" in said.text
    assert said.buttons["image_to_3d.install_backend"] == "Repair…"
