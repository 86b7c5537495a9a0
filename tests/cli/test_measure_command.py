"""``image-to-3d measure`` as a person and a pipeline use it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from image_to_3d.cli import main
from image_to_3d.core import Intrinsics
from image_to_3d.core.cloud.lifting import lift
from image_to_3d.io.ply import write_ply

KEYS = {"scale", "camera", "planes", "room", "lengths"}


def measured(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict:
    assert main(["measure", *arguments, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def source(sample: Path) -> list[str]:
    return [str(sample / "photo.jpg"), "--depth", str(sample / "depth_mm.png")]


def test_json_has_the_keys_of_the_design_and_the_sizes_of_the_room(
    capsys: pytest.CaptureFixture[str], sample: Path, truth: dict
) -> None:
    out = measured(
        capsys, *source(sample), "--planes", "--room", "--north", "348", "--between", "186.5,465.5", "177.5,76.5"
    )
    assert set(out) == KEYS
    assert set(out["scale"]) == {"state", "relative_sd"} and out["scale"]["state"] == "engine"
    assert out["camera"] == pytest.approx({"pitch_deg": -6, "roll_deg": -1.5, "height_m": 1.55}, abs=0.05)
    floor = next(p for p in out["planes"] if p["kind"] == "floor")
    assert set(floor) == {"kind", "normal", "offset_m", "area_m2", "rms_m", "tilt_deg", "azimuth_deg"}
    point = np.array(truth["measurements"][7]["points_cam"][0])  # on the floor
    assert np.dot(floor["normal"], point) == pytest.approx(floor["offset_m"], abs=0.01)
    west = [p for p in out["planes"] if p["kind"] == "wall" and abs(p["offset_m"] + 2.95) < 0.01]
    assert west[0]["azimuth_deg"] == pytest.approx(90, abs=0.2) and west[0]["tilt_deg"] == pytest.approx(90, abs=0.2)
    assert out["room"]["height_m"] == pytest.approx(2.6, rel=0.005)
    assert out["room"]["walls"][0]["distance_m"] == pytest.approx(4.2, rel=0.005)
    (length,) = out["lengths"]
    assert length["from"] == [186.5, 465.5] and length["metres"] == pytest.approx(2.6, rel=0.005)
    assert length["interval_m"][0] < 2.6 < length["interval_m"][1]


def test_a_known_length_calibrates_and_a_polygon_reports_its_tilt(
    capsys: pytest.CaptureFixture[str], sample: Path
) -> None:
    known = ("--known", "130.5,158.5", "139.5,484.5", "4.0202")  # pretend the door is twice as high
    panel = ("--tilt", "45,200", "135,208", "135,460", "45,480")
    out = measured(capsys, *source(sample), *known, *panel, "--between", "395.5,152.5", "393.5,329.5")
    assert out["scale"]["state"] == "calibrated" and out["scale"]["relative_sd"] < 0.01
    assert out["lengths"][0]["metres"] == pytest.approx(2 * 1.27384, rel=0.01)
    assert out["camera"]["height_m"] == pytest.approx(3.1, rel=0.01)
    (region,) = out["planes"]
    assert region["tilt_deg"] == pytest.approx(90, abs=0.3) and region["azimuth_deg"] is None


def test_table_for_a_person(capsys: pytest.CaptureFixture[str], sample: Path) -> None:
    assert main(["measure", *source(sample)]) == 0
    out = capsys.readouterr().out
    assert "Room height: ≈ 2.600 m ±" in out and "floor" in out and "Camera: pitch -6.0°" in out


def write_scene(path: Path, depth: np.ndarray, intrinsics: Intrinsics) -> Path:
    pixels = np.full((*depth.shape, 3), 128, np.uint8)
    write_ply(path, lift(pixels, depth, intrinsics))
    return path


def test_a_ply_is_measured_like_its_photo_and_one_wall_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    k = Intrinsics.centred(300, 240, 180)
    scene = write_scene(tmp_path / "wall.ply", np.full((180, 240), 3.0), k)
    out = measured(capsys, str(scene), "--between", "60,90", "180,90")
    assert out["lengths"][0]["metres"] == pytest.approx(1.2, rel=1e-3)
    assert out["camera"] == {"pitch_deg": None, "roll_deg": None, "height_m": None}
    assert main(["measure", str(scene), "--room"]) == 1
    assert "cannot be levelled" in capsys.readouterr().err
    out = measured(capsys, str(scene), "--tilt", "60,40 180,40 180,140 60,140", "--pitch", "10", "--roll", "0")
    assert out["planes"][0]["tilt_deg"] == pytest.approx(100, abs=0.01), "it leans over"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--between", "x,1", "3,4"], "is no pixel"),
        (["--between", "1,2", "5000,4"], "outside the photo"),
        (["--known", "1,2", "3,4", "zero"], "no length in metres"),
        (["--known", "50,50", "50,50", "2"], "same point"),
        (["--tilt", "10,10", "20,20"], "three corners"),
        (["--pitch", "10"], "belong together"),
        (["--scale-sd", "-3"], "percentage"),
    ],
)
def test_bad_input_is_one_sentence(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    scene = write_scene(tmp_path / "s.ply", np.full((90, 120), 2.0), Intrinsics.centred(150, 120, 90))
    assert main(["measure", str(scene), *arguments]) == 2
    error = capsys.readouterr().err
    assert sentence in error and "Traceback" not in error


def test_a_cloud_without_grid_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    k = Intrinsics.centred(150, 120, 90)
    cloud = lift(np.zeros((90, 120, 3), np.uint8), np.full((90, 120), 2.0), k)
    from dataclasses import replace

    write_ply(tmp_path / "loose.ply", replace(cloud, grid=None, grid_index=None))
    assert main(["measure", str(tmp_path / "loose.ply")]) == 2
    assert "no picture grid" in capsys.readouterr().err
