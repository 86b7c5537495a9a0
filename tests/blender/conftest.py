"""Tests inside real Blender (the bpy module), with the extension installed from its zip and a real backend process.

    IMAGE_TO_3D_TEST_PYTHON=<python of the backend> <python with bpy> -m pytest tests/blender

``IMAGE_TO_3D_TEST_ZIP`` names a zip that is already built. Nothing of the user's Blender or backend is touched.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from bpy_process import leave
from paths import BACKEND_PYTHON, REPOSITORY, SAMPLE
from running_extension import RunningExtension

_STATUS = pytest.StashKey[int]()
HAS_BPY = importlib.util.find_spec("bpy") is not None

if HAS_BPY:
    # Both are read when bpy and the package are imported, so they are set before anything else happens.
    _HOME = Path(tempfile.mkdtemp(prefix="image-to-3d-test-"))
    (_HOME / "blender").mkdir()
    os.environ["BLENDER_USER_RESOURCES"] = str(_HOME / "blender")
    os.environ["IMAGE_TO_3D_HOME"] = str(_HOME / "home")
    os.environ["IMAGE_TO_3D_BACKEND"] = f'"{BACKEND_PYTHON}" -m image_to_3d'
    os.environ["PYTHONPATH"] = str(REPOSITORY / "backend")  # for the backend only: this process uses the bundled wheel


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is here."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("blender")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Remember how it went."""
    session.config.stash[_STATUS] = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Reports are written, fixtures are undone: end before Blender can hang in its own exit."""
    if "bpy" in sys.modules:
        leave(config.stash.get(_STATUS, 3))


@pytest.fixture(autouse=True)
def private_home() -> Path:
    """One home for all tests here, because they share a backend; in place of the general one per test."""
    return _HOME / "home" if HAS_BPY else Path()


@pytest.fixture(scope="session")
def extension_zip() -> Path:
    """The installable zip."""
    given = os.environ.get("IMAGE_TO_3D_TEST_ZIP")
    if given:
        return Path(given)
    command = [sys.executable, REPOSITORY / "scripts" / "build_extension.py", "--output-dir", _HOME / "dist"]
    subprocess.run([*command, "--blender-python", sys.executable], check=True)
    (path,) = (_HOME / "dist").glob("*.zip")
    return path


@pytest.fixture(scope="session")
def addon(extension_zip: Path) -> Iterator[ModuleType]:
    """The installed extension, as a package."""
    import bpy

    installed = bpy.ops.extensions.package_install_files(
        filepath=str(extension_zip), repo="user_default", enable_on_install=True
    )
    assert installed == {"FINISHED"}
    import bl_ext.user_default.image_to_3d as package

    yield package
    from image_to_3d.protocol import Client, ConnectionLost
    from image_to_3d.protocol.messages import Shutdown

    try:
        with Client() as client:
            client.call(Shutdown(), timeout=5)
    except ConnectionLost:
        pass
    import addon_utils

    addon_utils.disable(package.__name__)
    time.sleep(0.2)
    shutil.rmtree(_HOME, ignore_errors=True)


@pytest.fixture(autouse=True)
def fresh_blender(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every test starts from the factory scene, with one step to undo to, and the default preferences of the extension."""
    if not HAS_BPY:
        yield
        return
    package = request.getfixturevalue("addon")
    import bpy

    bpy.ops.wm.read_homefile(use_factory_startup=True)
    bpy.ops.ed.undo_push(message="Start")
    package.runtime.objects.reset()
    preferences = package.backend.settings.get()
    for key in ("location", "command", "idle_minutes", "address", "server_key", "engine"):
        preferences.property_unset(key)
    yield
    RunningExtension(package).cancel()


@pytest.fixture
def backend() -> None:
    """Needs the Python that runs the backend."""
    if not BACKEND_PYTHON:
        pytest.skip("IMAGE_TO_3D_TEST_PYTHON does not name the backend's Python")


class Panel:
    """What a person does in the sidebar."""

    def __init__(self, package: ModuleType) -> None:
        import bpy

        self.bpy = bpy
        self.package = package
        self.session = RunningExtension(package)

    @property
    def recipe(self):
        """Settings of the scene."""
        return self.bpy.context.scene.image_to_3d.recipe

    def choose_sample(self) -> None:
        """The sample room with its depth."""
        self.recipe.photo_path = str(SAMPLE / "photo.jpg")
        self.recipe.depth_path = str(SAMPLE / "depth_mm.png")
        self.recipe.engine = "depth-map"

    def press(self) -> None:
        """The button."""
        assert self.bpy.ops.image_to_3d.generate() == {"FINISHED"}

    def pump_until(self, done: Callable[[], bool], seconds: float = 60) -> None:
        """What the timer does in a window."""
        end = time.monotonic() + seconds
        while not done():
            self.session.pump()
            assert time.monotonic() < end, "timed out"
            time.sleep(0.005)

    def pump_until_working(self) -> None:
        """Until the backend has the photo in its hands."""

        def working() -> bool:
            assert self.session.job is not None, self.session.failure
            return self.session.job.stage in {"decode", "lift"}

        self.pump_until(working)

    def finish(self, seconds: float = 60) -> None:
        """Wait for the end; a failure is not raised."""
        self.pump_until(lambda: not self.session.busy, seconds)

    def generate(self):
        """Press, wait, and give the objects that came."""
        self.press()
        self.session.wait(200)
        return self.package.scene.roles.find(self.bpy.data.objects[self.session.last_root])


@pytest.fixture
def panel(addon: ModuleType, backend: None) -> Panel:
    """The panel of the installed extension, with a backend to start."""
    return Panel(addon)


@pytest.fixture
def panel_without_backend(addon: ModuleType) -> Panel:
    """The panel of the installed extension."""
    return Panel(addon)


_saved: dict[str, str] = {}


@pytest.fixture
def sample_root(panel: Panel, tmp_path_factory: pytest.TempPathFactory):
    """The root of the sample room at a quarter of its density, made once and then opened from a file."""
    import bpy

    if not _saved:
        panel.choose_sample()
        panel.recipe.density = "QUARTER"
        panel.press()
        panel.session.wait(240)
        path = tmp_path_factory.mktemp("sample") / "sample.blend"
        bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True)
        _saved["path"], _saved["root"] = str(path), panel.session.last_root
    bpy.ops.wm.open_mainfile(filepath=_saved["path"])
    bpy.ops.ed.undo_push(message="Start")
    panel.session.last_root = _saved["root"]
    return bpy.data.objects[_saved["root"]]
