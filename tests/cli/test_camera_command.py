"""``image-to-3d camera`` as a person and a pipeline use it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from image_to_3d.cli import main

PHOTOS = Path(__file__).resolve().parents[3] / "shared" / "photos"


def told(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> list[dict]:
    assert main(["camera", *arguments, "--json"]) == code
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def bare(sample: Path, folder: Path) -> Path:
    """The sample's photo without its EXIF."""
    target = folder / "bare.png"
    Image.open(sample / "photo.jpg").convert("RGB").save(target)
    return target


def test_json_has_the_keys_of_the_design(capsys: pytest.CaptureFixture[str], sample: Path) -> None:
    (out,) = told(capsys, str(sample / "photo.jpg"))
    assert set(out) == {"photo", "focal", "attitude", "lines", "reasons"}
    assert set(out["focal"]) == {"px", "mm35", "source", "sd_percent"}
    assert out["focal"]["source"] == "exif35" and out["focal"]["mm35"] == 26
    assert out["attitude"]["pitch_deg"] == pytest.approx(-6, abs=0.2)
    assert out["attitude"]["roll_deg"] == pytest.approx(-1.5, abs=0.2)
    assert set(out["lines"]) == {"x", "y", "z"} and min(out["lines"].values()) > 5
    assert out["reasons"] == []


def test_without_exif_the_lines_tell_the_focal_length(
    capsys: pytest.CaptureFixture[str], sample: Path, truth: dict, tmp_path: Path
) -> None:
    (out,) = told(capsys, str(bare(sample, tmp_path)))
    focal = out["focal"]
    assert focal["source"] == "vanishing-points"
    assert focal["px"] == pytest.approx(truth["fx"], rel=0.03)
    assert abs(np.log(focal["px"] / truth["fx"])) < 1.96 * focal["sd_percent"] / 100
    assert out["attitude"]["pitch_deg"] == pytest.approx(-6, abs=0.3)


def test_a_picture_without_lines_is_not_sure_and_says_why(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (300, 400, 3), np.uint8)).save(tmp_path / "noise.png")
    (out,) = told(capsys, str(tmp_path / "noise.png"))
    assert out["focal"]["source"] == "assumed" and out["attitude"] is None and out["reasons"]
    assert main(["camera", str(tmp_path / "noise.png")]) == 0
    text = capsys.readouterr().out
    assert "assumed" in text and "not sure" in text and out["reasons"][0] in text


def test_a_focal_length_that_the_lines_contradict_is_said(capsys: pytest.CaptureFixture[str], sample: Path) -> None:
    (out,) = told(capsys, str(sample / "photo.jpg"), "--focal-mm", "50")
    assert out["focal"]["source"] == "user" and out["focal"]["mm35"] == 50
    assert out["attitude"] is None and "contradict" in out["reasons"][0]


def test_a_file_that_is_no_picture_fails_alone(
    capsys: pytest.CaptureFixture[str], sample: Path, tmp_path: Path
) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"nothing")
    out = told(capsys, str(tmp_path / "broken.jpg"), str(sample / "photo.jpg"), code=1)
    assert out[0]["status"] == "error" and out[0]["error"]["code"] == "image_unreadable"
    assert out[1]["focal"]["mm35"] == 26


def test_the_overlay_shows_the_lines_over_the_photo(
    capsys: pytest.CaptureFixture[str], sample: Path, tmp_path: Path
) -> None:
    target = tmp_path / "lines.png"
    assert main(["camera", str(sample / "photo.jpg"), "--overlay", str(target)]) == 0
    assert "upright" in capsys.readouterr().out
    with Image.open(sample / "photo.jpg") as photo, Image.open(target) as overlay:
        assert overlay.size == photo.size
        pixels = np.asarray(overlay.convert("RGB")).astype(int)
    for channel in range(3):
        others = [k for k in range(3) if k != channel]
        assert (pixels[..., channel] > pixels[..., others].max(axis=2) + 80).sum() > 300
    assert main(["camera", str(sample / "photo.jpg"), "--overlay", str(target)]) == 2
    assert main(["camera", str(sample / "photo.jpg"), str(target), "--overlay", str(tmp_path / "x.png")]) == 2
    assert main(["camera", str(sample / "photo.jpg"), "--overlay", str(tmp_path / "x.jpg")]) == 2


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the shared photos are not here")
def test_no_real_picture_gets_an_answer_that_its_interval_excludes(capsys: pytest.CaptureFixture[str]) -> None:
    for folder in sorted(PHOTOS.iterdir()):
        if not (folder / "intrinsics.json").exists():
            continue
        true = json.loads((folder / "intrinsics.json").read_text())["fx"]
        (out,) = told(capsys, str(next(folder.glob("photo.*"))))
        if out["focal"]["source"] == "vanishing-points":
            assert abs(np.log(out["focal"]["px"] / true)) < 1.96 * out["focal"]["sd_percent"] / 100, folder.name
