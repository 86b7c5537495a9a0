"""Films have the colours, the size and the tags that were asked for, and appear whole or not at all."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest

from image_to_3d.core import ImageTo3DError
from image_to_3d.io.depth import load_depth, write_depth_exr
from image_to_3d.io.images import srgb8_with_alpha, write_png
from image_to_3d.io.video import VideoWriter


@pytest.fixture
def ffmpeg():
    return pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()


def _decode(ffmpeg, path, width, height):
    """All frames as full-range RGB, converted by the file's own tags."""
    command = [ffmpeg, "-loglevel", "error", "-i", str(path), "-vf", "scale=in_color_matrix=bt709:out_range=full"]
    raw = subprocess.run([*command, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], capture_output=True, check=True).stdout
    return np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3)


PATCHES = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [0, 0, 0], [128, 128, 128]], np.uint8)


def _picture(width, height):
    """Vertical bands of the patches."""
    columns = np.arange(width) * len(PATCHES) // width
    return np.broadcast_to(PATCHES[columns], (height, width, 3)).copy()


@pytest.mark.parametrize("size", [(96, 64), (97, 63)])
def test_colours_and_frames_survive(ffmpeg, tmp_path, size):
    picture = _picture(*size)
    with VideoWriter(tmp_path / "film.mp4", *size, fps=25.0) as film:
        for _ in range(5):
            film.write(picture)
    even = tuple(side + side % 2 for side in size)
    frames = _decode(ffmpeg, tmp_path / "film.mp4", *even)
    assert len(frames) == 5
    for i, patch in enumerate(PATCHES):
        middle = int((i + 0.5) * size[0] / len(PATCHES))
        seen = frames[2, 20:40, middle - 2 : middle + 3].reshape(-1, 3).astype(int)
        assert np.abs(seen - patch).max() <= 6, (patch, seen.mean(0))


def test_file_is_tagged_as_hd_video(ffmpeg, tmp_path):
    with VideoWriter(tmp_path / "film.mp4", 64, 48, fps=24.0) as film:
        film.write(_picture(64, 48))
    about = subprocess.run(
        [ffmpeg, "-i", str(tmp_path / "film.mp4")], capture_output=True, text=True, check=False
    ).stderr
    assert re.search(r"Video: h264.*yuv420p\(tv, bt709.*64x48.*24 fps", about), about


def test_an_interrupted_film_leaves_nothing(ffmpeg, tmp_path):
    with pytest.raises(KeyboardInterrupt), VideoWriter(tmp_path / "film.mp4", 64, 48, fps=24.0) as film:
        film.write(_picture(64, 48))
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_ffmpeg_that_fails_is_a_sentence(ffmpeg, tmp_path, monkeypatch):
    broken = tmp_path / "ffmpeg"
    broken.write_text("#!/bin/sh\necho 'no encoder today' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr("image_to_3d.io.video.ffmpeg", lambda: str(broken))
    with pytest.raises(ImageTo3DError, match="no encoder today"), VideoWriter(tmp_path / "f.mp4", 64, 48, 24.0) as film:
        for _ in range(100):
            film.write(_picture(64, 48))
    assert [p.name for p in tmp_path.iterdir()] == ["ffmpeg"]


def test_missing_package_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with (
        pytest.raises(ImageTo3DError, match=r"imageio-ffmpeg.*image-to-3d\[video\]"),
        VideoWriter(tmp_path / "f.mp4", 8, 8, 1),
    ):
        pass


def test_frame_of_another_size_is_refused(ffmpeg, tmp_path):
    with pytest.raises(ValueError, match="a frame of this film"), VideoWriter(tmp_path / "f.mp4", 64, 48, 24.0) as film:
        film.write(_picture(48, 64))


def test_alpha_is_straight_and_values_are_clamped_not_wrapped(tmp_path):
    from PIL import Image

    colour = np.array([[[0.5, 0.25, 0.0], [0.0, 0.0, 0.0], [7.0, -1.0, 1.0]]], np.float32)
    alpha = np.array([[0.5, 0.0, 1.0]], np.float32)
    pixels = srgb8_with_alpha(colour, alpha)
    assert pixels[0].tolist() == [[255, 188, 0, 128], [0, 0, 0, 0], [255, 0, 255, 255]]
    write_png(tmp_path / "p.png", pixels)
    with Image.open(tmp_path / "p.png") as image:
        assert np.array_equal(np.asarray(image), pixels)


def test_depth_survives_an_exr(tmp_path):
    pytest.importorskip("OpenEXR")
    depth = np.array([[1.25, np.nan], [3e4, 1e-3]], np.float32)
    write_depth_exr(tmp_path / "d.exr", depth)
    assert np.array_equal(load_depth(tmp_path / "d.exr"), depth, equal_nan=True)


def test_missing_exr_package_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "OpenEXR", None)
    with pytest.raises(ImageTo3DError, match="OpenEXR package"):
        write_depth_exr(tmp_path / "d.exr", np.ones((2, 2)))
