"""``image-to-3d render``: files that come out, and a sentence for each thing that can be wrong with what goes in."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from plyfile import PlyData, PlyElement

from image_to_3d.cli import main
from image_to_3d.core import CameraPath, Intrinsics
from image_to_3d.core.cameras.trajectories import TrajectoryOptions, trajectory
from image_to_3d.io.depth import load_depth
from image_to_3d.io.ply import write_ply
from render_scenes import random_cloud

CLOUD = replace(random_cloud(0, 400, opaque=0.5), intrinsics=Intrinsics.centred(60.0, 63, 48))


@pytest.fixture
def scene(tmp_path):
    write_ply(tmp_path / "room.ply", CLOUD)
    return tmp_path / "room.ply"


def run(*args) -> int:
    return main(["render", *map(str, args), "--renderer", "cpu"])


def test_a_move_becomes_pictures_depth_and_its_camera_path(scene, tmp_path):
    out = tmp_path / "out"
    assert run(scene, "-o", out, "--frames", 3, "--write", "png,depth-png,depth-colour") == 0
    names = sorted(p.name for p in (out / "room.frames").iterdir())
    assert names == [f"000{i}.{kind}" for i in range(3) for kind in ("depth-colour.png", "depth.png", "png")]
    with Image.open(out / "room.frames" / "0000.png") as picture:
        assert picture.mode == "RGBA" and picture.size == (64, 48)
    path = CameraPath.from_json(json.loads((out / "camera_traj.json").read_text()))
    expected = trajectory("rotate_forward", CLOUD.positions, CLOUD.intrinsics, TrajectoryOptions(frames=3))
    assert np.allclose(path.cameras[1].world_to_camera, expected.cameras[1].world_to_camera, atol=1e-6)


def test_films_are_written_by_default(scene, tmp_path):
    pytest.importorskip("imageio_ffmpeg")
    assert run(scene, "-o", tmp_path / "out", "--frames", 2, "--trajectory", "swipe") == 0
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"room.mp4", "room.depth.mp4", "camera_traj.json"}


def test_a_camera_path_is_followed_again(scene, tmp_path):
    run(scene, "-o", tmp_path / "a", "--frames", 2, "--trajectory", "shake", "--write", "png")
    assert run(scene, "-o", tmp_path / "b", "--trajectory", tmp_path / "a" / "camera_traj.json", "--write", "png") == 0
    for name in ("0000.png", "0001.png"):
        first, second = ((tmp_path / folder / "room.frames" / name).read_bytes() for folder in "ab")
        assert first == second


@pytest.mark.parametrize(
    ("option", "size"), [("--size", "40x30"), ("--render-res", "40x30"), ("--render_res", "40x30"), ("--size", "32")]
)
def test_a_single_picture_of_any_size(scene, tmp_path, option, size):
    out = tmp_path / "out"
    assert run(scene, "-o", out, "--trajectory", "still", option, size, "--write", "png,depth-png") == 0
    with Image.open(out / "room.png") as picture:
        assert picture.size == ((40, 30) if size == "40x30" else (32, 24))
    depth = load_depth(out / "room.depth.png")
    assert 1.0 < np.nanmedian(depth) < 5.0


def test_the_photos_own_size_is_kept_for_a_still(scene, tmp_path):
    run(scene, "-o", tmp_path, "--trajectory", "still", "--background", "0,1,0")
    with Image.open(tmp_path / "room.png") as picture:
        assert picture.size == (63, 48) and picture.mode == "RGB"


def test_background_is_srgb(tmp_path):
    cloud = replace(CLOUD, opacities=np.full(len(CLOUD), 0.001, np.float32))
    write_ply(tmp_path / "nothing.ply", cloud)
    run(tmp_path / "nothing.ply", "-o", tmp_path, "--trajectory", "still", "--background", "0.5,0,1", "--write", "png")
    with Image.open(tmp_path / "nothing.png") as picture:
        assert (np.asarray(picture) == [128, 0, 255]).all()


def test_a_bad_scene_does_not_stop_the_others(scene, tmp_path, capsys):
    (tmp_path / "broken.ply").write_bytes(b"ply\nformat")
    other = tmp_path / "sub" / "room.ply"
    write_ply(other, CLOUD)
    out = tmp_path / "out"
    assert run(scene, tmp_path / "broken.ply", other, "-o", out, "--trajectory", "still", "--write", "png") == 1
    assert {p.name for p in out.glob("*.png")} == {"room.png", "room-2.png"}
    assert {p.name for p in out.glob("*.json")} == {"room.camera_traj.json", "room-2.camera_traj.json"}
    assert "broken.ply" in capsys.readouterr().err


def _table(cloud, names=None, **extra):
    """A vertex table as trainers of Gaussian splats write it."""
    columns = {
        **{axis: cloud.positions[:, i] for i, axis in enumerate("xyz")},
        **{f"f_dc_{i}": (cloud.colours[:, i].clip(0, 1) - 0.5) / 0.28209479177387814 for i in range(3)},
        "opacity": np.log(np.clip(cloud.opacities, 1e-4, 0.9999) / (1 - np.clip(cloud.opacities, 1e-4, 0.9999))),
        **{f"scale_{i}": np.log(cloud.scales[:, i]) for i in range(3)},
        **{f"rot_{i}": cloud.rotations[:, i] * 3.0 for i in range(4)},
        **extra,
    }
    names = names or list(columns)
    table = np.empty(len(cloud), [(name, "f4") for name in names])
    for name in names:
        table[name] = columns[name]
    return table


def _write(path, table, **options):
    PlyData([PlyElement.describe(table, "vertex")], **options).write(str(path))


def _other_tools(tmp_path):
    more = {name: np.zeros(len(CLOUD)) for name in ("nx", "ny", "nz", *(f"f_rest_{i}" for i in range(9)))}
    _write(tmp_path / "f_rest.ply", _table(CLOUD, **more))
    _write(tmp_path / "ascii.ply", _table(CLOUD), text=True)
    _write(tmp_path / "big_endian.ply", _table(CLOUD), byte_order=">")
    broken = _table(CLOUD)
    broken["x"][3] = np.nan
    broken["opacity"][5] = np.inf
    _write(tmp_path / "some_nan.ply", broken)
    write_ply(tmp_path / "full.ply", CLOUD, "ply-full")


@pytest.mark.parametrize("name", ["f_rest", "ascii", "big_endian", "some_nan", "full"])
def test_files_of_other_programs_are_rendered(tmp_path, name):
    _other_tools(tmp_path)
    assert run(tmp_path / f"{name}.ply", "-o", tmp_path, "--trajectory", "still", "--write", "png") == 0
    with Image.open(tmp_path / f"{name}.png") as picture:
        assert np.asarray(picture)[..., 3].max() > 200


def _bad_files(tmp_path, scene):
    whole = scene.read_bytes()
    (tmp_path / "truncated.ply").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.ply").write_text("hello")
    (tmp_path / "empty.ply").write_bytes(b"")
    _write(tmp_path / "no_points.ply", _table(CLOUD)[:0])
    _write(tmp_path / "mesh.ply", _table(CLOUD, ["x", "y", "z"]))
    _write(tmp_path / "no_rotation.ply", _table(CLOUD, [n for n in _table(CLOUD).dtype.names if n != "rot_3"]))
    table = _table(CLOUD)
    table["x"] = np.nan
    _write(tmp_path / "all_nan.ply", table)


@pytest.mark.parametrize(
    "name", ["truncated", "text", "empty", "no_points", "mesh", "no_rotation", "all_nan", "missing", "."]
)
def test_a_file_that_cannot_be_rendered_is_one_sentence(scene, tmp_path, capsys, name):
    _bad_files(tmp_path, scene)
    file = tmp_path if name == "." else tmp_path / f"{name}.ply"
    assert run(file, "-o", tmp_path / "out") == 1
    error = capsys.readouterr().err
    assert file.name in error and "Traceback" not in error
    assert not (tmp_path / "out").exists()


def test_a_scene_behind_the_camera_is_one_sentence(tmp_path, capsys):
    write_ply(tmp_path / "behind.ply", replace(CLOUD, positions=-CLOUD.positions))
    assert run(tmp_path / "behind.ply", "-o", tmp_path / "out") == 2
    assert "in front of the camera" in capsys.readouterr().err


def test_a_scene_without_camera_says_what_is_assumed(tmp_path, capsys):
    write_ply(tmp_path / "bare.ply", replace(CLOUD, intrinsics=None))
    assert run(tmp_path / "bare.ply", "-o", tmp_path, "--trajectory", "still", "--size", "64x48", "--write", "png") == 0
    assert "assumed" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options",
    [
        ["--size", "0x5"],
        ["--size", "wide"],
        ["--frames", "0"],
        ["--fps", "-3"],
        ["--background", "red"],
        ["--background", "2,0,0"],
        ["--eps2d", "nan"],
        ["--write", "gif"],
    ],
)
def test_wrong_options_are_wrong_usage(scene, tmp_path, options, capsys):
    with pytest.raises(SystemExit) as caught:
        run(scene, "-o", tmp_path, *options)
    assert caught.value.code == 2
    assert options[0] in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, "{", "[]", '{"version": 1, "fps": 24, "frames": []}', "[" * 100_000])
def test_a_wrong_camera_path_is_one_sentence(scene, tmp_path, content, capsys):
    if content is not None:
        (tmp_path / "path.json").write_text(content)
    assert run(scene, "-o", tmp_path / "out", "--trajectory", tmp_path / "path.json") == 2
    error = capsys.readouterr().err
    assert "camera path" in error and "Traceback" not in error
    assert run(scene, "-o", tmp_path / "out", "--trajectory", "spiral") == 2


def test_a_shorter_run_leaves_no_pictures_of_a_longer_one(scene, tmp_path):
    for frames in (4, 2):
        run(scene, "-o", tmp_path / "out", "--frames", frames, "--write", "png,depth-png")
    names = {p.name for p in (tmp_path / "out" / "room.frames").iterdir()}
    assert names == {"0000.png", "0000.depth.png", "0001.png", "0001.depth.png"}


def test_a_renderer_that_is_not_there_is_one_sentence(scene, tmp_path, capsys, monkeypatch):
    from image_to_3d.render import gsplat_renderer

    monkeypatch.setattr(gsplat_renderer, "probe", lambda: "No GPU today.")
    assert main(["render", str(scene), "-o", str(tmp_path), "--renderer", "gsplat"]) == 3
    assert "No GPU today. Render on the CPU" in capsys.readouterr().err


def test_a_film_of_frames_that_differ_in_size_is_refused(scene, tmp_path, capsys):
    pytest.importorskip("imageio_ffmpeg")
    path = trajectory("swipe", CLOUD.positions, CLOUD.intrinsics, TrajectoryOptions(frames=2)).to_json()
    path["frames"][1]["size"] = [32, 24]
    (tmp_path / "path.json").write_text(json.dumps(path))
    assert run(scene, "-o", tmp_path / "a", "--trajectory", tmp_path / "path.json", "--write", "mp4") == 2
    assert "differ in size" in capsys.readouterr().err
    assert run(scene, "-o", tmp_path / "b", "--trajectory", tmp_path / "path.json") == 0
    assert (tmp_path / "b" / "room.frames" / "0001.png").exists()


def test_without_ffmpeg_pictures_are_written_and_it_is_said(scene, tmp_path, monkeypatch, capsys):
    import sys

    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    assert run(scene, "-o", tmp_path / "a", "--frames", 2) == 0
    assert (tmp_path / "a" / "room.frames" / "0001.png").exists()
    assert "PNG pictures instead" in capsys.readouterr().err
    assert run(scene, "-o", tmp_path / "b", "--frames", 2, "--write", "mp4") == 3
