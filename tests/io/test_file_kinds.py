"""The kinds of files stand once: one row more is a format more, for whoever reads, writes or browses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from image_to_3d import file_kinds
from image_to_3d.cli import main
from image_to_3d.cli.photos import find_photos
from image_to_3d.core import GaussianCloud
from image_to_3d.core.errors import ErrorCode, ImageTo3DError
from image_to_3d.file_kinds import DEPTHS, PHOTOS, SPLATS, FileKind, file_filter, kind_of, suffixes
from image_to_3d.io.depth import load_depth
from image_to_3d.io.gaussian_files import is_scene, read_scene, write_scene

READERS = """
import numpy as np
from image_to_3d.io.ply import read_ply, write_ply

def read_text(data, name):
    return np.loadtxt(bytes(data).decode().splitlines(), np.float32)
"""


@pytest.fixture
def readers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "readers_of_tests.py").write_text(READERS)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "readers_of_tests"


def small_cloud() -> GaussianCloud:
    return GaussianCloud(
        positions=np.float32([[0, 0, 1], [0, 0, 2]]),
        scales=np.full((2, 3), 0.01, np.float32),
        rotations=np.float32([[1, 0, 0, 0]] * 2),
        colours=np.full((2, 3), 0.5, np.float32),
        opacities=np.float32([0.5, 0.9]),
    )


def test_a_new_kind_of_splats_is_one_module_and_one_row(readers, tmp_path: Path, capsys) -> None:
    kind = FileKind((".sog",), "New (.sog)", "New", f"{readers}:read_ply", f"{readers}:write_ply")
    SPLATS.append(kind)
    try:
        assert is_scene("A.SOG") and "*.sog" in file_filter(SPLATS, writable=True)
        write_scene(tmp_path / "a.sog", small_cloud())
        assert len(read_scene(tmp_path / "a.sog")) == 2
        assert main(["convert", str(tmp_path / "a.sog"), str(tmp_path / "b.spz")]) == 0
        capsys.readouterr()
        assert main(["convert", str(tmp_path / "a.sog"), str(tmp_path / "b.obj")]) == 2
        assert ".sog" in capsys.readouterr().err
    finally:
        SPLATS.remove(kind)


def test_a_kind_that_cannot_be_written_is_refused_before_anything_happens(readers, tmp_path: Path) -> None:
    kind = FileKind((".old",), reader=f"{readers}:read_ply")
    SPLATS.append(kind)
    try:
        with pytest.raises(ImageTo3DError) as caught:
            write_scene(tmp_path / "a.old", small_cloud())
        assert caught.value.code is ErrorCode.BAD_REQUEST and ".old," not in caught.value.hint
        assert not (tmp_path / "a.old").exists()
    finally:
        SPLATS.remove(kind)


def test_a_new_kind_of_depth_is_one_function_and_one_row(readers, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("1 2\n3 0\n")
    kind = FileKind((".txt",), reader=f"{readers}:read_text")
    DEPTHS.append(kind)
    try:
        np.testing.assert_array_equal(load_depth(tmp_path / "a.txt"), np.float32([[1, 2], [3, np.nan]]))
        (tmp_path / "b.txt").write_text("no numbers")
        with pytest.raises(ImageTo3DError) as caught:
            load_depth(tmp_path / "b.txt")
        assert caught.value.code is ErrorCode.IMAGE_UNREADABLE
    finally:
        DEPTHS.remove(kind)


def test_folders_hold_photos_of_every_kind(tmp_path: Path) -> None:
    for suffix in (*suffixes(PHOTOS), ".txt"):
        (tmp_path / f"a{suffix}").touch()
    assert {item.path.suffix for item in find_photos([str(tmp_path)])} == set(suffixes(PHOTOS))


@pytest.mark.parametrize("kinds", [PHOTOS, DEPTHS, SPLATS])
def test_no_suffix_stands_twice_and_all_are_in_lower_case(kinds: list[FileKind]) -> None:
    every = suffixes(kinds)
    assert len(set(every)) == len(every) and all(suffix == suffix.lower() and suffix[0] == "." for suffix in every)
    assert all(kind_of(f"A{suffix.upper()}", kinds) is not None for suffix in every)
    assert all(callable(file_kinds.load(name)) for kind in kinds for name in (kind.reader, kind.writer) if name)
