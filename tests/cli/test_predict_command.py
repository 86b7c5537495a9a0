"""``image-to-3d predict``: many photos, bad ones among them, and files that scripts can rely on. The network is a tiny SHARP."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from image_to_3d.cli import main
from image_to_3d.cli.photos import find_photos
from image_to_3d.core.cloud.background_fill import invented
from image_to_3d.core.errors import ImageTo3DError
from image_to_3d.io import ply
from image_to_3d.io.ply import read_ply
from sharp_recipe import write_checkpoint


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_checkpoint(tmp_path_factory.mktemp("weights") / "micro.pt"))


def save_photo(path: Path, seed: int = 0, size: tuple[int, int] = (60, 40)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def reports(capsys: pytest.CaptureFixture[str]) -> list[dict]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_photo_to_ply(tmp_path: Path, checkpoint: str, capsys: pytest.CaptureFixture[str]) -> None:
    photo = save_photo(tmp_path / "a.b.png")
    assert main(["predict", str(photo), "-o", str(tmp_path / "out"), "-c", checkpoint, "--fov", "60", "--json"]) == 0
    (report,) = reports(capsys)
    assert report["status"] == "ok" and report["engine"] == "sharp" and report["gaussians"] == 2 * 64 * 64
    assert report["focal"]["source"] == "user"
    assert report["focal"]["px"] == pytest.approx(30 / np.tan(np.radians(30)))
    assert set(report["seconds"]) >= {"decode", "preprocess", "network", "postprocess", "write", "total"}
    assert report["depth_m"]["min"] <= report["depth_m"]["median"] <= report["depth_m"]["max"]
    cloud = read_ply(report["outputs"]["ply"])
    assert Path(report["outputs"]["ply"]).name == "a.b.ply" and len(cloud) == report["gaussians"]
    assert cloud.intrinsics is not None and (cloud.intrinsics.width, cloud.intrinsics.height) == (60, 40)


def test_render_goes_with_predict(tmp_path: Path, checkpoint: str, capsys: pytest.CaptureFixture[str]) -> None:
    photo = save_photo(tmp_path / "a.png")
    options = ["--render", "--trajectory", "still", "--renderer", "cpu", "--json"]
    assert main(["predict", str(photo), "-o", str(tmp_path / "out"), "-c", checkpoint, *options]) == 0
    (report,) = reports(capsys)
    assert {"ply", "png", "camera_path"} <= set(report["outputs"]) and report["seconds"]["render"] > 0
    picture = np.asarray(Image.open(report["outputs"]["png"]))
    assert picture.shape == (40, 60, 4) and picture[..., 3].max() > 0
    path = json.loads(Path(report["outputs"]["camera_path"]).read_text())
    assert path["version"] == 1 and path["frames"][0]["size"] == [60, 40]


def test_same_photo_same_bytes(tmp_path: Path, checkpoint: str) -> None:
    photo = save_photo(tmp_path / "a.png")
    for folder in ("one", "two"):
        assert main(["predict", str(photo), "-o", str(tmp_path / folder), "-c", checkpoint]) == 0
    assert (tmp_path / "one" / "a.ply").read_bytes() == (tmp_path / "two" / "a.ply").read_bytes()


def test_one_bad_photo_does_not_stop_the_others(
    tmp_path: Path, checkpoint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    save_photo(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "b.jpg").write_bytes(b"no picture")
    save_photo(tmp_path / "in" / "deep" / "c.png")
    code = main(
        [
            "predict",
            str(tmp_path / "in"),
            str(tmp_path / "absent.jpg"),
            "-o",
            str(tmp_path / "out"),
            "-c",
            checkpoint,
            "--json",
        ]
    )
    assert code == 1
    found = reports(capsys)
    assert [r["status"] for r in found] == ["ok", "error", "ok", "error"]
    assert found[1]["error"]["code"] == "image_unreadable" and found[1]["error"]["hint"]
    assert sorted(p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*")) == [
        "a.ply",
        "deep",
        "deep/c.ply",
    ]


def test_an_engine_that_fails_on_one_photo_does_not_stop_the_others(
    tmp_path: Path, checkpoint: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from image_to_3d.engines.sharp.engine import SharpEngine

    predict = SharpEngine.predict

    def fails_on_b(self: SharpEngine, photo: object, *rest: object) -> object:
        if photo.name == "b.png":  # type: ignore[attr-defined]
            raise ValueError("nonsense")
        return predict(self, photo, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(SharpEngine, "predict", fails_on_b)
    photos = [str(save_photo(tmp_path / f"{name}.png")) for name in "abc"]
    assert main(["predict", *photos, "-o", str(tmp_path / "out"), "-c", checkpoint, "--json"]) == 1
    assert [r["status"] for r in reports(capsys)] == ["ok", "error", "ok"]


def test_existing_files_are_kept_unless_told_otherwise(tmp_path: Path, checkpoint: str) -> None:
    photo = save_photo(tmp_path / "a.png")
    arguments = ["predict", str(photo), "-o", str(tmp_path), "-c", checkpoint]
    (tmp_path / "a.ply").write_text("mine")
    assert main(arguments) == 1
    assert (tmp_path / "a.ply").read_text() == "mine"
    assert main([*arguments, "--overwrite"]) == 0
    assert (tmp_path / "a.ply").read_bytes().startswith(b"ply")


def test_interruption_leaves_no_half_file(tmp_path: Path, checkpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = [str(save_photo(tmp_path / f"{name}.png")) for name in "ab"]
    write, calls = ply.PlyData.write, []

    def interrupted(self: object, target: str) -> None:
        calls.append(target)
        if len(calls) == 2:
            Path(target).write_bytes(b"ply\nhalf")
            raise KeyboardInterrupt
        write(self, target)

    monkeypatch.setattr(ply.PlyData, "write", interrupted)
    assert main(["predict", *photos, "-o", str(tmp_path / "out"), "-c", checkpoint]) == 130
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["a.ply"]


def test_filters_and_both_spellings(tmp_path: Path, checkpoint: str, capsys: pytest.CaptureFixture[str]) -> None:
    photo = save_photo(tmp_path / "a.png")
    Image.fromarray(np.repeat(np.uint8([[255] * 30 + [0] * 30]), 40, axis=0)).save(tmp_path / "mask.png")
    base = ["predict", str(photo), "-c", checkpoint, "--json", "--overwrite", "-o", str(tmp_path)]

    def gaussians(*options: str) -> int:
        assert main([*base, *options]) == 0
        return reports(capsys)[0]["gaussians"]

    everything = gaussians()
    assert gaussians("--mask", str(tmp_path / "mask.png")) == everything // 2
    cloud = read_ply(tmp_path / "a.ply")
    assert cloud.positions[:, 0].min() > -0.01  # the left half is gone
    depth = f"{np.median(cloud.positions[:, 2]):.4f}"
    assert 0 < gaussians("--depth-max", depth) == gaussians("--depth_max", depth) < everything
    assert 0 < gaussians("--alpha-threshold", "0.5") == gaussians("--alpha_thres", "0.5") < everything
    assert gaussians("--max-gaussians", str(everything // 2)) <= everything // 2


def test_filters_that_leave_nothing_are_an_error(tmp_path: Path, checkpoint: str) -> None:
    photo = save_photo(tmp_path / "a.png")
    assert main(["predict", str(photo), "-o", str(tmp_path), "-c", checkpoint, "--depth-max", "1e-6"]) == 1
    assert not (tmp_path / "a.ply").exists()


def test_ply_full_is_the_published_layout(tmp_path: Path, checkpoint: str) -> None:
    photo = save_photo(tmp_path / "a.png")
    assert main(["predict", str(photo), "-o", str(tmp_path), "-c", checkpoint, "--format", "ply-full"]) == 0
    header = (tmp_path / "a.ply").read_bytes().partition(b"end_header")[0].decode()
    elements = [line.split()[1] for line in header.splitlines() if line.startswith("element")]
    assert elements == [
        "vertex",
        "extrinsic",
        "intrinsic",
        "image_size",
        "frame",
        "disparity",
        "color_space",
        "version",
    ]


def test_depth_file_chooses_its_engine(tmp_path: Path, sample: Path, capsys: pytest.CaptureFixture[str]) -> None:
    depth = ["--depth", str(sample / "depth_mm.png")]
    assert main(["predict", str(sample / "photo.jpg"), "-o", str(tmp_path), *depth, "--json"]) == 0
    assert reports(capsys)[0]["engine"] == "depth-map"
    assert main(["predict", *[str(sample / "photo.jpg"), str(tmp_path)], "-o", str(tmp_path), *depth]) == 2


def test_what_is_filled_behind_edges_is_told(tmp_path: Path, sample: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["predict", str(sample / "photo.jpg"), "-o", str(tmp_path), "--depth", str(sample / "depth_mm.png")]
    assert main([*arguments, "--fill", "--json"]) == 0
    filled = reports(capsys)[0]
    assert filled["metric"] and filled["invented"] > 1000
    cloud = read_ply(filled["outputs"]["ply"])
    assert invented(cloud).sum() == filled["invented"] and len(cloud) == filled["gaussians"]
    assert main([*arguments, "--overwrite", "--json"]) == 0
    plain = reports(capsys)[0]
    assert plain["invented"] == 0 and plain["gaussians"] == filled["gaussians"] - filled["invented"]


def test_wrong_usage_and_missing_engines_have_their_codes(tmp_path: Path) -> None:
    photo = str(save_photo(tmp_path / "a.png"))
    assert main(["predict", photo, "-o", str(tmp_path), "-c", str(tmp_path / "absent.pt")]) == 3
    assert main(["predict", photo, "-o", str(tmp_path), "--engine", "magic"]) == 2
    (tmp_path / "empty").mkdir()
    assert main(["predict", str(tmp_path / "empty"), "-o", str(tmp_path)]) == 2
    (tmp_path / "broken.pt").write_bytes(b"PK\x03\x04 no zip")
    assert main(["predict", photo, "-o", str(tmp_path), "-c", str(tmp_path / "broken.pt")]) == 3


def names(*arguments: str) -> list[str]:
    return [item.output.as_posix() for item in find_photos(arguments)]


def test_photos_of_the_same_name_do_not_overwrite_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("in/a.jpg", "in/a.png", "in/B.JPG", "in/sub/a.jpg", "other/b.jpg", "in/.hidden.jpg", "in/notes.txt"):
        save_photo(Path(name).with_suffix(".png")).rename(name)
    assert names("in") == ["B", "a_jpg", "a_png", "sub/a"]
    assert names("in/a.jpg", "in/a.png", "in/sub/a.jpg") == ["a_jpg", "a_png", "a_jpg-2"]
    assert names("in/B.JPG", "other/b.jpg") == ["B_jpg", "b_jpg-2"]
    assert names("in/*.jpg", "in/a.jpg") == ["a"]
    assert names("**/a.jpg") == ["a_jpg", "a_jpg-2"]
    with pytest.raises(ImageTo3DError, match="no photos"):
        find_photos(["*.heic"])
