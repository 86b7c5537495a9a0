"""Warm engines: one at a time, each with its own options, gone when nobody needs them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from image_to_3d.catalogue import ENGINES, EngineInfo
from image_to_3d.cli import main
from image_to_3d.engines.base import EngineOptions
from image_to_3d.engines.pool import EnginePool


class Recorded:
    """An engine that notes how it was made."""

    info = EngineInfo("recorded", "for tests", metric=True, implementation=f"{__name__}:Recorded")
    made: list[EngineOptions] = []
    unloaded = 0

    def __init__(self, options: EngineOptions) -> None:
        self.made.append(options)

    def unload(self) -> None:
        type(self).unloaded += 1


class Other(Recorded):
    info = EngineInfo("other", "for tests", metric=True, implementation=f"{__name__}:Other")


@pytest.fixture(autouse=True)
def engines(monkeypatch: pytest.MonkeyPatch) -> None:
    Recorded.made, Recorded.unloaded, Other.unloaded = [], 0, 0
    for engine in (Recorded, Other):
        monkeypatch.setitem(ENGINES, engine.info.name, engine.info)


def use(pool: EnginePool, *names: str) -> None:
    for name in names:
        with pool.use(name):
            assert pool.loaded == name


def test_an_engine_stays_warm_until_another_takes_its_place() -> None:
    pool = EnginePool()
    use(pool, "recorded", "recorded", "other", "recorded")
    assert len(Recorded.made) == 3 and (Recorded.unloaded, Other.unloaded) == (1, 1)
    with pool.use("recorded", "bf16"):
        assert Recorded.made[-1].precision == "bf16"
    pool.unload()
    assert pool.loaded == ""


@pytest.mark.parametrize(
    ("checkpoint_of", "given"), [("recorded", ["w.pt", None]), ("other", [None, "w.pt"]), ("auto", [None, None])]
)
def test_a_checkpoint_goes_to_the_engine_it_belongs_to_and_to_no_other(checkpoint_of: str, given: list) -> None:
    pool = EnginePool(EngineOptions("cpu", checkpoint="w.pt", checkpoint_of=checkpoint_of))
    use(pool, "recorded", "other")
    assert [options.checkpoint for options in Recorded.made] == given


def test_a_checkpoint_of_sharp_does_not_reach_midas(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    """A person who chose another engine was told to delete the weights that were fine."""
    monkeypatch.setitem(ENGINES, "midas-small", Recorded.info)
    pool = EnginePool(EngineOptions("cpu", checkpoint=str(tmp_path / "sharp.pt")))
    use(pool, "midas-small")
    assert Recorded.made[0].checkpoint is None


def test_the_command_line_gives_a_checkpoint_to_the_engine_it_names(sample, tmp_path, capsys) -> None:
    assert (
        main(["predict", str(sample / "photo.jpg"), "-c", "none.pt", "--engine", "recorded"]) == 1
    )  # it cannot predict
    assert Recorded.made[0].checkpoint == "none.pt"


def test_auto_is_what_the_person_who_started_it_prefers_but_for_photos_with_depth() -> None:
    pool = EnginePool(EngineOptions(preferred="other"))
    assert pool.resolve("auto") == "other" and pool.resolve("auto", has_depth=True) == "depth-map"
    assert pool.resolve("lite") == "lite"


@pytest.fixture
def idle_pool() -> Iterator[EnginePool]:
    pool = EnginePool(idle_seconds=0.2)
    yield pool
    pool.unload()


def test_an_idle_engine_gives_its_memory_back(idle_pool: EnginePool) -> None:
    use(idle_pool, "recorded")
    deadline = time.monotonic() + 5
    while idle_pool.loaded and time.monotonic() < deadline:
        time.sleep(0.02)
    assert idle_pool.loaded == "" and Recorded.unloaded == 1
    use(idle_pool, "recorded")
    assert len(Recorded.made) == 2


def test_an_engine_at_work_is_not_idle(idle_pool: EnginePool) -> None:
    use(idle_pool, "recorded")
    with idle_pool.use("recorded"):
        threading.Event().wait(0.5)
        assert Recorded.unloaded == 0
