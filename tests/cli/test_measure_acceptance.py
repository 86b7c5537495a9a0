"""``image-to-3d measure`` on rooms of exactly known sizes, and on pictures that it has to refuse."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from image_to_3d.cli import main
from image_to_3d.core.cloud.lifting import lift
from image_to_3d.io.ply import write_ply
from rooms import Box, Camera, Room, furnished, structured_light

CAMERA = Camera((2.2, 0.3, 1.5), heading_deg=8, pitch_deg=-4, roll_deg=2, focal_mm35=18, size=(400, 300))
SIZE = (4.2, 5.1, 2.6)
PANEL = Box((2.4, 3.2, 0.9), (1.6, 1.0, 0.04), turn_deg=10, tilt_deg=24)


def scene(folder: Path, depth: np.ndarray, camera: Camera) -> str:
    path = folder / "scene.ply"
    write_ply(path, lift(np.full((*depth.shape, 3), 128, np.uint8), depth.astype(np.float32), camera.intrinsics))
    return str(path)


def noisy(depth: np.ndarray, seed: int) -> np.ndarray:
    """Noise and holes of a structured-light camera, and a scale that is 3 % off."""
    return 1.03 * structured_light(depth, np.random.default_rng(seed))


def measured(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict:
    assert main(["measure", *arguments, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def words(points: np.ndarray) -> list[str]:
    return [f"{u:.3f},{v:.3f}" for u, v in points]


def panel_outline(camera: Camera) -> list[str]:
    corners = np.array([(-0.76, -0.46, 0.02), (0.76, -0.46, 0.02), (0.76, 0.46, 0.02), (-0.76, 0.46, 0.02)])
    return words(camera.pixel(PANEL.centre + corners @ PANEL.axes().T))


@pytest.mark.parametrize("seed", [0, 2])
def test_room_height_exact_within_one_percent_and_noisy_within_its_interval(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, seed: int
) -> None:
    depth = Room(SIZE, furnished(np.random.default_rng(seed), SIZE)).depth(CAMERA)
    out = measured(capsys, scene(tmp_path, depth, CAMERA), "--room")
    assert out["room"]["height_m"] == pytest.approx(2.6, rel=0.01)
    assert out["camera"]["pitch_deg"] == pytest.approx(-4, abs=0.5)
    assert out["camera"]["roll_deg"] == pytest.approx(2, abs=0.5)
    assert out["room"]["walls"][0]["distance_m"] == pytest.approx(4.2, rel=0.01)
    low, high = out["room"]["walls"][0]["interval_m"]
    assert low < 4.2 < high
    out = measured(capsys, scene(tmp_path, noisy(depth, seed), CAMERA), "--room", "--scale-sd", "3")
    low, high = out["room"]["height_interval_m"]
    assert low < 2.6 < high and high - low < 0.5
    assert out["camera"]["pitch_deg"] == pytest.approx(-4, abs=0.5)
    assert out["camera"]["roll_deg"] == pytest.approx(2, abs=0.5)


@pytest.mark.parametrize("exact", [True, False])
def test_tilt_of_a_panel_within_three_tenths_of_a_degree(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, exact: bool
) -> None:
    depth = Room(SIZE, (PANEL,)).depth(CAMERA)
    path = scene(tmp_path, depth if exact else noisy(depth, 3), CAMERA)
    out = measured(capsys, path, "--tilt", *panel_outline(CAMERA), "--north", "8")
    (region,) = out["planes"]
    assert region["tilt_deg"] == pytest.approx(24, abs=0.3)
    normal = PANEL.axes()[:, 2]
    assert region["azimuth_deg"] == pytest.approx(np.degrees(np.arctan2(normal[0], normal[1])) % 360, abs=1.5)


@pytest.mark.parametrize("seed", [0, 1])
def test_one_known_length_brings_the_others_within_one_percent(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, seed: int
) -> None:
    depth = noisy(Room(SIZE).depth(CAMERA), seed)
    door = [[0.01, 3.6, 0.02], [0.01, 3.6, 2.05]]
    others = [
        ([0.6, 5.09, 1.5], [3.6, 5.09, 1.4]),
        ([1.0, 5.09, 0.4], [1.1, 5.09, 2.3]),
        ([0, 4.5, 1.4], [4.2, 4.3, 1.5]),
    ]
    known = [*words(CAMERA.pixel(np.array(door))), "2.03"]
    flags = [word for ends in others for word in ("--between", *words(CAMERA.pixel(np.array(ends))))]
    path = scene(tmp_path, depth, CAMERA)
    uncalibrated = measured(capsys, path, *flags)
    out = measured(capsys, path, "--known", *known, *flags)
    assert out["scale"]["state"] == "calibrated" and out["scale"]["relative_sd"] < 0.03
    for length, before, ends in zip(out["lengths"], uncalibrated["lengths"], others, strict=True):
        true = float(np.linalg.norm(np.subtract(*ends)))
        assert length["metres"] == pytest.approx(true, rel=0.01)
        assert before["metres"] == pytest.approx(1.03 * true, rel=0.015)
        assert length["interval_m"][0] < true < length["interval_m"][1]


REFUSED = {
    "one wall": (Room(sides=frozenset(["far"])), Camera((2, 1, 1.4), focal_mm35=50)),
    "no floor": (Room(sides=frozenset(["far", "left", "ceiling"])), Camera((2, 1, 1.4), pitch_deg=18)),
    "macro": (Room(furniture=(Box((2, 0.55, 1.18), (1.5, 0.8, 0.04)),)), Camera((2, 0.3, 1.4), pitch_deg=-44)),
    "mirror": (
        Room(
            size=(4, 5, 2.6),
            furniture=tuple(Box((x, 2.5, 1.2), (0.9, 0.02, 2.6), tilt_deg=s) for x, s in ((1.2, 12), (2.8, -12))),
            sides=frozenset(["far"]),
        ),
        Camera((2, 0.3, 1.4), focal_mm35=24),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_pictures_without_evidence_are_refused_in_a_sentence(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str
) -> None:
    room, camera = REFUSED[name]
    path = scene(tmp_path, room.depth(camera), camera)
    assert main(["measure", path, "--room", "--json"]) == 1
    captured = capsys.readouterr()
    assert "cannot be levelled" in captured.err and "Traceback" not in captured.err
    out = json.loads(captured.out)
    assert out["room"]["height_m"] is None and out["camera"]["height_m"] is None
    lengths = measured(capsys, path, "--between", "180,120", "240,160")["lengths"]
    assert lengths[0]["metres"] > 0, "a length needs no level"


@pytest.mark.parametrize(("name", "value"), [("north", "nan"), ("pitch", "inf"), ("north", "1000")])
def test_angles_that_are_none(capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str, value: str) -> None:
    angles = {"pitch": "0", "roll": "0"} | {name: value}
    path = scene(tmp_path, np.full((90, 120), 2.0), Camera((0, 0, 0), size=(120, 90)))
    flags = [word for key, angle in angles.items() for word in (f"--{key}", angle)]
    assert main(["measure", path, "--planes", *flags]) == 2
    assert "is no angle" in capsys.readouterr().err


def test_the_photos_own_compass_makes_azimuths_known(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, sample: Path
) -> None:
    with Image.open(sample / "photo.jpg") as image:
        exif = image.getexif()
        exif.get_ifd(0x8825).update({16: "T", 17: 348.0})
        stream = io.BytesIO()
        image.save(stream, "JPEG", exif=exif, quality=90)
    (tmp_path / "photo.jpg").write_bytes(stream.getvalue())
    source = [str(tmp_path / "photo.jpg"), "--depth", str(sample / "depth_mm.png"), "--planes"]
    walls = [p for p in measured(capsys, *source)["planes"] if p["kind"] == "wall" and abs(p["offset_m"] + 2.95) < 0.01]
    assert walls[0]["azimuth_deg"] == pytest.approx(90, abs=0.2)


@pytest.mark.parametrize(
    ("name", "lowest", "highest"),
    [
        ("hallway_sun", 0.8, 2.0),
        ("desk_tum", 0.8, 2.0),
        ("living_room_redwood", 0.3, 0.6),  # its horizon is as high as the seat of the chair
    ],
)
def test_real_photos(
    capsys: pytest.CaptureFixture[str], shared: Path, name: str, lowest: float, highest: float
) -> None:
    folder = shared / "photos" / name
    photo = next(folder.glob("photo.*"))
    k = json.loads((folder / "intrinsics.json").read_text())
    with Image.open(photo) as image:
        fov = np.degrees(2 * np.arctan(image.width / 2 / k["fx"]))
    out = measured(
        capsys, str(photo), "--depth", str(folder / "depth_mm.png"), "--fov", f"{fov:.3f}", "--planes", "--room"
    )
    kinds = {p["kind"] for p in out["planes"]}
    assert "floor" in kinds
    assert lowest < out["camera"]["height_m"] < highest
