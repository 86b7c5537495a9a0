"""``image-to-3d depth``: files, names, options, mistakes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from image_to_3d.catalogue import ENGINES, EngineInfo
from image_to_3d.cli import main
from image_to_3d.core import ErrorCode, ImageTo3DError
from image_to_3d.io.depth import load_depth


class Ramp:
    """An engine with a disparity that grows downwards."""

    info = EngineInfo("ramp", "for tests", metric=False, implementation=f"{__name__}:Ramp")

    def __init__(self, options) -> None:
        del options

    def disparity(self, photo, progress=None):
        if "bug" in photo.name:
            raise ZeroDivisionError("in the engine")
        if "forbidden" in photo.name:
            raise ImageTo3DError(ErrorCode.LICENCE_NOT_ACCEPTED, "weights.licence_not_accepted", name="sharp")
        return np.linspace(2, 7, photo.height, dtype=np.float32)[:, None].repeat(photo.width, 1)

    def predict(self, photo, depth=None, progress=None):
        raise AssertionError("the disparity is enough")

    def unload(self) -> None:
        pass


@pytest.fixture
def ramp(monkeypatch):
    monkeypatch.setitem(ENGINES, "ramp", Ramp.info)


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "room.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (30, 40, 3), dtype=np.uint8)).save(path)
    return path


def test_a_metric_engine_writes_metres(sample, tmp_path, capsys):
    arguments = [
        "depth",
        str(sample / "photo.jpg"),
        "-o",
        str(tmp_path),
        "--depth",
        str(sample / "depth_mm.png"),
        "--json",
    ]
    assert main(arguments) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["status"], report["engine"], report["metric"]) == ("ok", "depth-map", True)
    exact = load_depth(sample / "depth_mm.png")
    written = np.load(tmp_path / "photo.depth.npy")
    assert written.dtype == np.float32
    np.testing.assert_allclose(written, exact, rtol=1e-4)
    np.testing.assert_allclose(load_depth(tmp_path / "photo.depth.png"), exact, atol=0.00051)
    with Image.open(tmp_path / "photo.heatmap.png") as picture:
        assert picture.size == exact.shape[::-1]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["photo.depth.npy", "photo.depth.png", "photo.heatmap.png"]


def test_a_relative_engine_writes_disparity_and_near_is_bright(ramp, photo, tmp_path):
    out = tmp_path / "out"
    kinds = "heatmap,npy,png,side-by-side"
    assert main(["depth", str(photo), "-o", str(out), "--engine", "ramp", "--write", kinds]) == 0
    disparity = np.load(out / "room.disparity.npy")
    assert disparity[0, 0] == 2
    assert disparity[-1, 0] == 7
    levels = np.asarray(Image.open(out / "room.disparity.png"))
    assert (levels.min(), levels.max(), levels[-1, 0]) == (0, 65535, 65535)
    heat = np.asarray(Image.open(out / "room.heatmap.png")).astype(int).sum(-1)
    assert heat[-1].mean() > heat[0].mean() + 300
    assert Image.open(out / "room.side-by-side.png").size == (82, 30)


def test_exr_and_legend(ramp, photo, tmp_path):
    pytest.importorskip("OpenEXR")
    assert (
        main(["depth", str(photo), "-o", str(tmp_path), "--engine", "ramp", "--write", "exr,heatmap", "--legend"]) == 0
    )
    np.testing.assert_allclose(load_depth(tmp_path / "room.disparity.exr")[:, 0], np.linspace(2, 7, 30), rtol=1e-6)
    assert Image.open(tmp_path / "room.heatmap.png").width > 40


def test_existing_files_are_kept_unless_told_otherwise(ramp, photo, tmp_path, capsys):
    arguments = ["depth", str(photo), "-o", str(tmp_path), "--engine", "ramp"]
    assert main(arguments) == 0
    assert main(arguments) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert main([*arguments, "--overwrite"]) == 0


def test_a_bad_photo_does_not_stop_the_others(ramp, photo, tmp_path, capsys):
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no picture")
    assert main(["depth", str(bad), str(photo), "-o", str(tmp_path / "out"), "--engine", "ramp", "--json"]) == 1
    reports = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [r["status"] for r in reports] == ["error", "ok"]
    assert reports[0]["error"]["code"] == "image_unreadable"


def test_a_defect_of_an_engine_ends_its_photo_and_not_the_others(ramp, photo, tmp_path, capsys):
    bad = tmp_path / "bug.png"
    bad.write_bytes(photo.read_bytes())
    assert main(["depth", str(bad), str(photo), "-o", str(tmp_path / "out"), "--engine", "ramp", "--json"]) == 1
    reports = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [r["status"] for r in reports] == ["error", "ok"]
    assert reports[0]["error"]["code"] == "engine_failed" and "ZeroDivisionError" in reports[0]["error"]["message"]


def test_what_stops_every_photo_is_said_once(ramp, photo, tmp_path, capsys):
    bad = [tmp_path / f"forbidden-{i}.png" for i in range(3)]
    for path in bad:
        path.write_bytes(photo.read_bytes())
    assert main(["depth", *map(str, bad), "-o", str(tmp_path / "out"), "--engine", "ramp"]) == 3
    assert capsys.readouterr().err.splitlines() == [
        "image-to-3d: The licence of the weights of sharp was not accepted."
        " Read it and accept it: image-to-3d weights fetch sharp."
    ]


def test_missing_weights_are_one_sentence_and_exit_code_3(photo, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert main(["depth", str(photo), "-o", str(tmp_path), "--engine", "midas-small"]) == 3
    error = capsys.readouterr().err.strip()
    assert "\n" not in error
    assert "weights fetch midas-small" in error


@pytest.mark.parametrize("option", [["--write", "gif"], ["--threads", "0"], ["--threads", "many"]])
def test_wrong_options_are_wrong_usage(photo, option):
    with pytest.raises(SystemExit) as caught:
        main(["depth", str(photo), *option])
    assert caught.value.code == 2
