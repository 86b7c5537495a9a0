"""Shared fixtures and paths. Tests that need ``shared/`` beside the repository skip where it is absent."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

for _folder in (
    "scripts",
    "tests/support",
    "tests/blender/support",
):  # the scripts import each other, and tests import them
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / _folder))

from paths import SAMPLE, SHARED  # noqa: E402


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="run the slow tests as well")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--full"):
        return
    skip = pytest.mark.skip(reason="slow; runs with --full")
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder ``shared/`` beside the repository."""
    if not SHARED.is_dir():
        pytest.skip("the folder shared/ beside the repository is absent")
    return SHARED


@pytest.fixture(scope="session")
def sample() -> Path:
    """The sample room: photo.jpg, depth_mm.png, truth.json."""
    return SAMPLE


@pytest.fixture(scope="session")
def truth() -> dict:
    """What is known about the sample room."""
    return json.loads((SAMPLE / "truth.json").read_text())


@pytest.fixture(autouse=True)
def private_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test touches the keys, caches or backend of the person who runs it."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("IMAGE_TO_3D_HOME", str(home))
    return home
