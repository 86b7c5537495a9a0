"""The Python interface: light to import, one road with the command line, its page tells the truth."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import image_to_3d as i3d
from image_to_3d.cli import main
from paths import REPOSITORY


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = (
        "import sys, image_to_3d; "
        "heavy = {'torch', 'numpy', 'PIL', 'zmq', 'numba', 'timm', 'plyfile'} & set(sys.modules); "
        "assert not heavy, heavy; "
        "assert set(image_to_3d.__all__) <= set(dir(image_to_3d)); "
        "image_to_3d.predict, image_to_3d.Scene; "
        "assert not {'torch', 'numba', 'timm', 'zmq'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_name_is_there_and_others_are_not() -> None:
    assert all(getattr(i3d, name) is not None for name in i3d.__all__)
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = i3d.no_such_name


def test_the_page_tells_the_truth(sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(sample / "photo.jpg", tmp_path / "room.jpg")
    shutil.copy(sample / "depth_mm.png", tmp_path / "depth.png")
    monkeypatch.chdir(tmp_path)
    page = (REPOSITORY / "docs" / "python.md").read_text("utf-8")
    examples = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(examples) >= 5
    namespace: dict[str, object] = {}
    for number, example in enumerate(examples, 1):
        exec(compile(example, f"docs/python.md, example {number}", "exec"), namespace)
    assert (tmp_path / "room.ply").stat().st_size > 1_000_000


def test_a_scene_is_what_the_command_line_makes(sample: Path, tmp_path: Path) -> None:
    arguments = [str(sample / "photo.jpg"), "--depth", str(sample / "depth_mm.png")]
    assert main(["predict", *arguments, "-o", str(tmp_path)]) == 0
    scene = i3d.predict(sample / "photo.jpg", depth=sample / "depth_mm.png")
    assert scene.save(tmp_path / "own.ply").read_bytes() == (tmp_path / "photo.ply").read_bytes()
    with pytest.raises(i3d.ImageTo3DError, match="exists already"):
        scene.save(tmp_path / "own.ply", overwrite=False)


def test_measurements_are_those_of_the_command_line(sample: Path, truth: dict, capsys) -> None:
    scene = i3d.predict(sample / "photo.jpg", depth=sample / "depth_mm.png")
    found = scene.measure(between=[((100, 200), (300, 200))], known=[((100, 300), (500, 300), 2.1)])
    arguments = ["--between", "100,200", "300,200", "--known", "100,300", "500,300", "2.1", "--planes", "--room"]
    depth = ["--depth", str(sample / "depth_mm.png")]
    assert main(["measure", str(sample / "photo.jpg"), *depth, *arguments, "--json"]) == 0
    assert json.loads(json.dumps(found.to_json())) == json.loads(capsys.readouterr().out)
    low, high = found.lengths[0].interval_m
    assert low < found.lengths[0].metres < high and found.scale.state == "calibrated"


def test_what_cannot_be_measured_is_said(tmp_path: Path, sample: Path) -> None:
    scene = i3d.predict(sample / "photo.jpg", depth=sample / "depth_mm.png")
    scene.save(tmp_path / "bare.spz")
    bare = i3d.load(tmp_path / "bare.spz")
    assert bare.photo is None and bare.focal is None and len(bare) == len(scene)
    for ask in (bare.measure, bare.depth):
        with pytest.raises(i3d.ImageTo3DError, match="no picture grid"):
            ask()
    for wrong in ({"pitch_deg": 3.0}, {"north_deg": 1e6}, {"scale_sd": 0.0}, {"between": [((-5, 0), (1, 1))]}):
        with pytest.raises(i3d.ImageTo3DError) as caught:
            scene.measure(**wrong)
        assert caught.value.code is i3d.ErrorCode.BAD_REQUEST


def test_filters_and_masks(sample: Path) -> None:
    photo, depth = sample / "photo.jpg", sample / "depth_mm.png"
    whole = i3d.predict(photo, depth=depth)
    assert len(i3d.predict(photo, depth=depth, max_gaussians=5000)) <= 5000
    near = i3d.predict(photo, depth=depth, depth_max=3.0)
    assert len(near) < len(whole) and near.cloud.positions[:, 2].max() <= 3.0
    right = np.zeros((2, 2), bool)
    right[:, 0] = True
    assert i3d.predict(photo, depth=depth, mask=right).cloud.positions[:, 0].min() > -0.05
    assert whole.depth().shape == (whole.cloud.grid.rows, whole.cloud.grid.cols)


def test_pictures_of_pillow_are_pixels(sample: Path) -> None:
    from PIL import Image

    with Image.open(sample / "photo.jpg") as picture:
        scene = i3d.predict(picture, depth=sample / "depth_mm.png", fov_deg=60)
    assert scene.focal.source == "user" and scene.photo.width == picture.width
