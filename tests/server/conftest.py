"""A backend process for a file of tests, and clients of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from backend_process import Backend, running_backend
from image_to_3d.protocol import Client


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home folder for the backend and for the clients in this process."""
    folder = tmp_path_factory.mktemp("backend") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMAGE_TO_3D_HOME", str(folder))
        yield folder


@pytest.fixture(autouse=True)
def private_home(home: Path) -> Path:
    """The home folder that every test of a file shares unless it takes one of its own; in place of the general one per test."""
    return home


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of a test's own."""
    monkeypatch.setenv("IMAGE_TO_3D_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(scope="module")
def backend(home: Path) -> Iterator[Backend]:
    """A backend shared by tests that leave it healthy."""
    with running_backend(home) as running:
        running.wait_ready()
        yield running


@pytest.fixture
def client(backend: Backend) -> Iterator[Client]:
    """A client of the shared backend."""
    with Client() as connected:
        yield connected
