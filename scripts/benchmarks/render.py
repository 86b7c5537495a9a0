"""How long a picture of 1.18 million Gaussians takes, stage by stage, and how fast films are written."""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from image_to_3d.cli import render_outputs
from image_to_3d.core import Camera, GaussianCloud, Grid, Intrinsics
from image_to_3d.core.cameras.trajectories import TrajectoryOptions, trajectory
from image_to_3d.core.cloud.lifting import lift
from image_to_3d.core.depth.depth_maps import inverse_depth, resample_inverse_depth
from image_to_3d.io.depth import load_depth
from image_to_3d.io.photo import load_photo
from image_to_3d.render import Instance, RenderSettings, choose_renderer

SIZES = ((640, 360), (1280, 720), (1920, 1080))
FRAMES = 9
FILM_FRAMES = 24
GAUSSIANS = 1_179_648
SAMPLE = Path(__file__).resolve().parents[2] / "tests" / "data" / "living_a"


def sample_room() -> GaussianCloud:
    """The sample room, its photo and measured depth stretched to as many cells as SHARP makes Gaussians."""
    photo = load_photo(next(SAMPLE.glob("photo.*")))
    depth = load_depth(SAMPLE / "depth_mm.png")
    scale = np.sqrt(GAUSSIANS / (photo.width * photo.height))
    width, height = round(photo.width * scale), round(photo.height * scale)
    pixels = np.asarray(Image.fromarray(photo.pixels).resize((width, height), Image.Resampling.BICUBIC))
    fine = 1.0 / resample_inverse_depth(inverse_depth(depth), height, width)
    return lift(pixels, fine, photo.intrinsics.resized(width, height), max_gaussians=2 * GAUSSIANS)


def two_layers(side: int = 768) -> GaussianCloud:
    """A made-up scene of SHARP's structure: two layers on a wavy surface with something in front, shapes and opacities random."""
    rng = np.random.default_rng(0)
    n = side * side
    k = Intrinsics(0.9 * side, 1.6 * side, side / 2, side / 2, side, side)
    u, v = np.meshgrid(np.arange(side) + 0.5, np.arange(side) + 0.5)
    surface = 3 + np.sin(5 * u / side) + 0.7 * np.cos(4 * v / side)
    surface = np.where(np.hypot(u - 0.4 * side, v - 0.55 * side) < 0.2 * side, 1.5, surface)
    layers = []
    for distance in (1.0, 1.15):
        z = surface * distance * (1 + 0.002 * rng.standard_normal(surface.shape))
        layers.append(k.unproject(np.stack([u, v], -1), z).reshape(-1, 3))
    positions = np.concatenate(layers)
    scales = positions[:, 2:] / k.fx * 0.7 * np.exp(0.3 * rng.standard_normal((2 * n, 3))) * [1, 1, 0.3]
    rotations = rng.standard_normal((2 * n, 4)) + np.array([4, 0, 0, 0])
    return GaussianCloud(
        positions,
        scales,
        rotations / np.linalg.norm(rotations, axis=1, keepdims=True),
        rng.uniform(0, 1, (2 * n, 3)),
        1 / (1 + np.exp(-1 - rng.standard_normal(2 * n))),
        Intrinsics.centred(0.9 * 1280, 1280, 720),
        Grid(2, side, side),
    )


def _pictures(name: str, cloud: GaussianCloud, renderer: Any) -> list[dict[str, Any]]:
    """One row for each picture size: median over a moving camera, warm."""
    rows = []
    for width, height in SIZES:
        path = trajectory("rotate_forward", cloud.positions, cloud.intrinsics, TrajectoryOptions(frames=FRAMES))
        cameras = path.with_size(width, height).cameras
        walls, stages = [], []
        for camera in cameras:
            start = time.perf_counter()
            renderer.render([Instance(cloud)], camera, RenderSettings())
            walls.append(time.perf_counter() - start)
            stages.append(dict(getattr(renderer, "seconds", {})))
        row = {"what": f"{name}, {len(cloud):,} Gaussians", "size": f"{width}×{height}", "renderer": renderer.name}
        row["first ms"] = round(1e3 * walls[0], 1)
        row["median ms"] = round(1e3 * float(np.median(walls)), 1)
        row |= {f"{stage} ms": round(1e3 * float(np.median([s[stage] for s in stages])), 1) for stage in stages[0]}
        rows.append(row)
    return rows


def _film(cloud: GaussianCloud, renderer: Any, width: int, height: int) -> dict[str, Any]:
    """Frames per second from the cloud to the MP4 on disk."""
    parser = argparse.ArgumentParser()
    render_outputs.add_arguments(parser)
    options = ["--frames", str(FILM_FRAMES), "--size", f"{width}x{height}", "--write", "mp4"]
    with tempfile.TemporaryDirectory() as folder:
        report = render_outputs.render_cloud(cloud, Path(folder), "film", parser.parse_args(options), renderer)
    return {
        "what": f"film (MP4), {FILM_FRAMES} frames",
        "size": f"{width}×{height}",
        "renderer": renderer.name,
        "median ms": round(1e3 * report.seconds["total"] / FILM_FRAMES, 1),
        "draw ms": round(1e3 * report.seconds["render"] / FILM_FRAMES, 1),
        "frames per second": round(FILM_FRAMES / report.seconds["total"], 2),
    }


def run(args: argparse.Namespace | None = None) -> list[dict[str, Any]]:
    """Rows of figures: cold start, pictures of two scenes in three sizes, films in two."""
    start = time.perf_counter()
    renderer, _ = choose_renderer(getattr(args, "renderer", None) or "auto")
    camera = Camera.at_origin(Intrinsics.centred(8.0, 8, 8))
    one = GaussianCloud(np.ones((1, 3)), np.ones((1, 3)), [[1.0, 0, 0, 0]], np.ones((1, 3)), [1.0])
    renderer.render([Instance(one)], camera)
    rows: list[dict[str, Any]] = [
        {
            "what": "making the renderer (compiled before, unless this is its first use)",
            "renderer": renderer.name,
            "first ms": round(1e3 * (time.perf_counter() - start), 1),
        }
    ]
    room = sample_room()
    rows += _pictures("sample room", room, renderer)
    rows += _pictures("two layers", two_layers(), renderer)
    rows += [_film(room, renderer, *size) for size in SIZES[:2]]
    return rows
