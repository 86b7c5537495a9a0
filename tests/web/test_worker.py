"""Requests of the page become files; they can be cancelled, and failures are sentences."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from image_to_3d.catalogue import ENGINES, EngineInfo
from image_to_3d.cli import main
from image_to_3d.core import Cancelled, ErrorCode, ImageTo3DError, Provenance
from image_to_3d.core.cloud.background_fill import invented
from image_to_3d.core.cloud.lifting import lift
from image_to_3d.engines.base import EngineOptions, Prediction
from image_to_3d.io.ply import read_ply
from image_to_3d.io.splat import read_splat
from image_to_3d.web import worker
from image_to_3d.web.worker import PhotoRequest, PredictionWorker, RunningRequest


class Step:
    """An engine that sees a near square before a far wall, in relative depth."""

    info = EngineInfo("step", "for tests", metric=False, implementation=f"{__name__}:Step")
    started: threading.Event = threading.Event()
    made, unloaded = 0, 0
    options = EngineOptions()

    def __init__(self, options: EngineOptions) -> None:
        type(self).made += 1
        type(self).options = options

    def predict(self, photo, depth=None, progress=None) -> Prediction:
        self.started.set()
        for i in range(100 if "slow" in photo.name else 2):
            progress("network", i / 100)
            threading.Event().wait(0.02 if "slow" in photo.name else 0)
        if "bug" in photo.name:
            raise ZeroDivisionError("in the engine")
        z = np.full((photo.height, photo.width), 4.0, np.float32)
        z[10:30, 15:45] = 1.5
        cloud = lift(photo.pixels, z, photo.intrinsics, provenance=Provenance("step", False, photo.focal.source))
        return Prediction(cloud, {"network": 0.1}, warnings=("a warning of the engine",))

    def unload(self) -> None:
        type(self).unloaded += 1


@pytest.fixture
def step(monkeypatch: pytest.MonkeyPatch) -> type[Step]:
    Step.started, Step.made, Step.unloaded = threading.Event(), 0, 0
    monkeypatch.setitem(ENGINES, "step", Step.info)
    return Step


def photo(folder: Path, name: str = "room.png") -> Path:
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)).save(folder / name)
    return folder / name


def test_a_request_becomes_a_heat_map_a_scene_and_a_ply(step, tmp_path: Path) -> None:
    seen: list[tuple[str, float]] = []
    files = PredictionWorker(tmp_path / "out").make(
        PhotoRequest(photo(tmp_path), "step", mm35=30.0), lambda stage, share: seen.append((stage, share))
    )
    assert files.heat_map.name == "room.heatmap.png" and files.ply.name == "room.ply"
    picture = np.asarray(Image.open(files.heat_map))
    assert picture.shape[0] == 40 and picture.shape[1] > 60  # with its legend
    assert picture[20, 30].astype(int).sum() > picture[2, 2].astype(int).sum()  # near is bright
    cloud = read_ply(files.ply)
    assert not cloud.provenance.metric and cloud.provenance.focal_source == "user"
    assert 0 < invented(cloud).sum() < len(cloud)
    assert len(read_splat(files.splats)) == len(cloud)
    camera = json.loads(files.camera.read_text())
    assert camera["gaussians"] == len(cloud) and 0 < camera["fov_y"] < camera["fov_x"] < 2
    assert camera["distance"] == pytest.approx(4.0, rel=0.01)
    assert "not metric: calibrate" in files.sentences[1] and "a warning of the engine" in files.warnings
    shares = [share for _, share in seen]
    assert shares == sorted(shares) and shares[-1] == 1.0


def test_the_viewer_gets_no_more_than_it_can_draw_and_the_file_gets_all(step, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(worker, "VIEWED", 500)
    files = PredictionWorker(tmp_path / "out").make(
        PhotoRequest(photo(tmp_path), "step", fill=False, legend=False), lambda *_: None
    )
    assert len(read_splat(files.splats)) <= 500 and len(read_ply(files.ply)) == 2400
    assert Image.open(files.heat_map).size == (60, 40)


def test_the_engine_is_kept_and_only_the_last_results(step, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(worker, "KEPT", 2)
    maker = PredictionWorker(tmp_path / "out")
    names = [maker.make(PhotoRequest(photo(tmp_path), "step"), lambda *_: None).name for _ in range(3)]
    assert step.made == 1 and step.unloaded == 0
    assert {p.name for p in (tmp_path / "out").iterdir()} == set(names[1:])


def test_a_checkpoint_that_was_named_for_another_engine_stays_away(step, tmp_path) -> None:
    """It was taken for the engine's own weights, found unfit, and the person was told to delete it."""
    maker = PredictionWorker(tmp_path / "out", EngineOptions(checkpoint=str(tmp_path / "sharp.pt")))
    maker.make(PhotoRequest(photo(tmp_path), "step"), lambda *_: None)
    assert step.options.checkpoint is None
    maker = PredictionWorker(
        tmp_path / "out", EngineOptions(checkpoint=str(tmp_path / "step.pt"), checkpoint_of="step")
    )
    maker.make(PhotoRequest(photo(tmp_path), "step"), lambda *_: None)
    assert step.options.checkpoint == str(tmp_path / "step.pt")


def test_an_idle_engine_is_unloaded_and_comes_back(step, tmp_path) -> None:
    maker = PredictionWorker(tmp_path / "out", idle_seconds=0.1)
    maker.make(PhotoRequest(photo(tmp_path), "step"), lambda *_: None)
    deadline = time.monotonic() + 5
    while step.unloaded == 0 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert step.unloaded == 1 and maker.pool.loaded == ""
    assert maker.make(PhotoRequest(photo(tmp_path), "step"), lambda *_: None).ply.is_file() and step.made == 2


def test_cancelling_stops_the_engine_and_leaves_nothing(step, tmp_path) -> None:
    maker = PredictionWorker(tmp_path / "out")
    running = RunningRequest(maker, PhotoRequest(photo(tmp_path, "slow.png"), "step"))
    assert step.started.wait(20)
    second = RunningRequest(maker, PhotoRequest(photo(tmp_path), "step"))  # waits for the first one
    running.cancel()
    assert running.wait(20) and running.cancelled and running.files is None and running.failure is None
    assert second.wait(20) and second.files is not None
    assert [p.name for p in (tmp_path / "out").iterdir()] == [second.files.name]


def test_a_cancelled_write_leaves_no_folder(step, tmp_path) -> None:
    def progress(stage: str, share: float) -> None:
        if share > 0.9:
            raise Cancelled

    with pytest.raises(Cancelled):
        PredictionWorker(tmp_path / "out").make(PhotoRequest(photo(tmp_path), "step"), progress)
    assert not any((tmp_path / "out").iterdir())


def test_failures_are_sentences(step, tmp_path) -> None:
    maker = PredictionWorker(tmp_path / "out")
    (tmp_path / "text.jpg").write_text("no photo")
    for request, code in (
        (PhotoRequest(tmp_path / "text.jpg", "step"), ErrorCode.IMAGE_UNREADABLE),
        (PhotoRequest(photo(tmp_path), "midas-small"), ErrorCode.WEIGHTS_MISSING),
        (PhotoRequest(photo(tmp_path), "step", mm35=-3.0), ErrorCode.BAD_REQUEST),
        (PhotoRequest(photo(tmp_path, "bug.png"), "step"), ErrorCode.ENGINE_FAILED),
    ):
        running = RunningRequest(maker, request)
        assert running.wait(20) and running.files is None
        assert isinstance(running.failure, ImageTo3DError) and running.failure.code == code and running.failure.message


def test_without_gradio_the_command_says_what_to_install(monkeypatch, capsys) -> None:
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "gradio" else found(name, *a))
    assert main(["web"]) == 3
    assert capsys.readouterr().err.strip().splitlines() == [
        "image-to-3d: The page in the browser needs Gradio, which is not installed. Install it: pip install 'image-to-3d[web]'"
    ]


def test_wrong_usage(capsys) -> None:
    assert main(["web", "--engine", "none-such"]) == 2
    with pytest.raises(SystemExit):
        main(["web", "--port", "70000"])
