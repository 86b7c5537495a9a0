"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from image_to_3d.core.errors import ImageTo3DError
from image_to_3d.io.atomic import atomic_open, atomic_path


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_the_file_has_the_permissions_of_an_ordinary_one_and_other_threads_keep_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(mask: int) -> int:
        raise AssertionError("the umask is the whole process's: while it is 0, other threads make files for everybody")

    monkeypatch.setattr(os, "umask", never)
    ordinary = tmp_path / "ordinary"
    ordinary.touch()
    with atomic_open(tmp_path / "new") as stream:
        stream.write(b"x")
    assert (tmp_path / "new").stat().st_mode == ordinary.stat().st_mode


def test_nothing_is_left_of_a_failure(tmp_path: Path) -> None:
    target = tmp_path / "scene.ply"
    target.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), atomic_open(target) as stream:
        stream.write(b"new")
        raise ZeroDivisionError
    assert [path.name for path in tmp_path.iterdir()] == ["scene.ply"] and target.read_bytes() == b"old"


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ImageTo3DError, match="cannot be written"), atomic_path(tmp_path / "file" / "scene.ply"):
        pass
