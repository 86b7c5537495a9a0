"""Checkpoints made by the recipe, once per test run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from midas_recipe import GOLDEN, make_state_dict

MANIFESTS = {"midas-small": "midas_v21_small_256", "dpt-large": "dpt_large_384"}


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """The networks are small here; several threads only wait for each other on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def official_shapes() -> Callable[[str], dict[str, tuple[int, ...]]]:
    """Names and shapes of the tensors in a published checkpoint."""
    if not GOLDEN.is_dir():
        pytest.skip("the reference tensors (shared/golden/midas) are absent")

    def shapes(engine: str) -> dict[str, tuple[int, ...]]:
        manifest = json.loads((GOLDEN / f"{MANIFESTS[engine]}.manifest.json").read_text())
        return {name: tuple(shape) for name, (shape, _dtype) in manifest.items()}

    return shapes


@pytest.fixture(scope="session")
def small_checkpoint(official_shapes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the names and shapes of MiDaS v2.1 small and weights by the recipe."""
    path = tmp_path_factory.mktemp("weights") / "midas_v21_small_256.pt"
    torch.save(make_state_dict(official_shapes("midas-small")), path)
    return path
