"""Measure the engine `lite` against depth that is known, and against two baselines.

    PYTHONPATH=backend:scripts python -m train_lite.evaluate [--weights FILE] [--held-out 200] [--photos ../shared/photos]

prints tables in Markdown. Per picture: metric AbsRel (mean |error| / depth), δ < 1.25 (share of pixels within a factor of 1.25),
and AbsRel after one scale per picture (ratio of medians). Pixels count where depth is known and at most 80 m.

Baselines: the best constant depth (the one that minimises AbsRel, found with the truth, for each measure), and the floor: a
horizontal floor with the *true* height and attitude of the camera, closed by a vertical wall facing the camera at the distance
that fits best. Both are told part of the truth; the network is told the focal length only.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from image_to_3d.core.cameras.intrinsics import Intrinsics
from image_to_3d.engines.lite.depth import estimate_depth
from image_to_3d.engines.lite.network import LiteNetwork
from image_to_3d.engines.lite.weights import load_network

from . import photograph, raycast, scenes
from .dataset import worth_a_photo
from .train import aligned_and_metric

ROOT = Path(__file__).resolve().parents[2]
MEASURES = ("AbsRel", "δ<1.25", "AbsRel aligned")


@dataclass(frozen=True, eq=False)
class Example:
    """A picture with its truth.

    Attributes:
        down: unit vector to the ground in the OpenCV camera frame, and ``height`` of the camera above it in metres, where known.
    """

    name: str
    pixels: NDArray[np.uint8]
    depth: NDArray[np.float32]
    intrinsics: Intrinsics
    down: NDArray[np.float64] | None = None
    height: float | None = None


def measure(predicted: NDArray, depth: NDArray) -> tuple[float, float, float]:
    """AbsRel, δ < 1.25, aligned AbsRel; where nothing is predicted (sky) the prediction counts as 80 m."""
    filled = torch.from_numpy(np.nan_to_num(predicted, nan=80.0).astype(np.float32))
    return aligned_and_metric(filled, torch.from_numpy(np.nan_to_num(depth, nan=np.inf).astype(np.float32)))


def resized(predicted: NDArray, shape: tuple[int, ...]) -> NDArray:
    """The prediction at the truth's pixels (nearest)."""
    rows = ((np.arange(shape[0]) + 0.5) * predicted.shape[0] / shape[0]).astype(int)
    cols = ((np.arange(shape[1]) + 0.5) * predicted.shape[1] / shape[1]).astype(int)
    return predicted[np.ix_(rows, cols)]


def best_constant(depth: NDArray) -> NDArray:
    """The constant depth of least AbsRel: the median weighted by 1 / depth (it minimises Σ |c − z| / z)."""
    z = np.sort(depth[np.isfinite(depth) & (depth > 0) & (depth <= 80)])
    weight = np.cumsum(1 / z)
    return np.full(depth.shape, z[np.searchsorted(weight, weight[-1] / 2)], np.float32)


def floor_prior(example: Example) -> NDArray | None:
    """The floor below the true camera, and the best wall."""
    if example.down is None or example.height is None:
        return None
    x, y = example.intrinsics.pixel_rays(*example.depth.shape)
    drop = x[None, :] * example.down[0] + y[:, None] * example.down[1] + example.down[2]
    with np.errstate(divide="ignore", invalid="ignore"):
        floor = np.where(drop > 1e-6, example.height / drop, np.inf)
    ahead = np.array([0.0, 0, 1]) - example.down[2] * example.down
    ahead /= np.linalg.norm(ahead)
    facing = np.maximum(x[None, :] * ahead[0] + y[:, None] * ahead[1] + ahead[2], 0.05)
    candidates = [np.minimum(floor, far / facing) for far in np.geomspace(0.4, 60, 80)]
    return min(candidates, key=lambda z: measure(z, example.depth)[0]).astype(np.float32)


def held_out(count: int, width: int = 320, height: int = 240) -> Iterator[Example]:
    """Scenes of seeds below :data:`dataset.TRAINING_SEED`, rendered larger than for training."""
    for seed in range(500_000, 500_000 + count):
        scene, camera, kind = scenes.make_scene(seed, width, height)
        linear, depth = raycast.render(scene, camera, seed % 65536)
        rng = np.random.default_rng([seed, 1])
        if not worth_a_photo(depth, rng):
            continue
        down = camera.rotation.T @ np.array([0.0, 0, -1])
        intrinsics = Intrinsics.centred(camera.focal_px, width, height)
        yield Example(kind, photograph.develop(linear, rng), depth, intrinsics, down, float(camera.position[2]))


def _depth_png(path: Path) -> NDArray[np.float32]:
    z = np.asarray(Image.open(path)).astype(np.float32) / 1000
    return np.where(z > 0, z, np.inf).astype(np.float32)


def sample_room() -> Example:
    """The room that comes with the tests."""
    folder = ROOT / "tests/data/living_a"
    truth = json.loads((folder / "truth.json").read_text())
    pixels = np.asarray(Image.open(folder / "photo.jpg").convert("RGB"))
    intrinsics = Intrinsics(truth["fx"], truth["fy"], truth["cx"], truth["cy"], pixels.shape[1], pixels.shape[0])
    down = -np.array(truth["cam_to_world_opencv"])[2, :3]
    height = truth["camera"]["height_above_floor_m"]
    return Example("living_a", pixels, _depth_png(folder / "depth_mm.png"), intrinsics, down, height)


def fitted_floor(depth: NDArray, intrinsics: Intrinsics) -> tuple[NDArray[np.float64], float] | None:
    """Direction down and camera height by the largest plane below the camera: RANSAC on measured depth."""
    rng = np.random.default_rng(0)
    x, y = intrinsics.pixel_rays(*depth.shape)
    points = np.stack(np.broadcast_arrays(x[None] * depth, y[:, None] * depth, depth), -1)[np.isfinite(depth)]
    points = points[rng.choice(len(points), min(len(points), 20_000), replace=False)]
    best, found = 0.0, None
    for _ in range(600):
        a, b, c = points[rng.choice(len(points), 3, replace=False)]
        n = np.cross(b - a, c - a)
        size = np.linalg.norm(n)
        if size < 1e-9:
            continue
        n = n / size * np.sign(n[1] or 1)
        offset = float(n @ a)
        if n[1] < 0.6 or offset < 0.4:  # not roughly below
            continue
        # the floor is the lowest large plane: nothing lies far below it
        inside = np.abs(points @ n - offset) < 0.02 * offset
        below = (points @ n > offset * 1.05).mean()
        score = inside.mean() - 3 * below
        if score > best:
            best, found = score, (n, offset)
    return found


def real_photos(folder: Path) -> Iterator[Example]:
    """Pictures with measured depth: folders with ``photo.*``, ``depth_mm.png`` and ``intrinsics.json``."""
    for place in sorted(p for p in folder.iterdir() if (p / "depth_mm.png").exists()) if folder.is_dir() else ():
        k = json.loads((place / "intrinsics.json").read_text())
        pixels = np.asarray(Image.open(next(place.glob("photo.*"))).convert("RGB"))
        intrinsics = Intrinsics(k["fx"], k["fy"], k["cx"], k["cy"], k["width"], k["height"])
        depth = _depth_png(place / "depth_mm.png")
        floor = fitted_floor(depth, intrinsics)
        yield Example(place.name, pixels, depth, intrinsics, *(floor or (None, None)))


def compare(example: Example, network: LiteNetwork) -> dict[str, tuple[float, float, float]]:
    """The three measures of the network and the baselines on one picture."""
    with torch.inference_mode():
        estimate = estimate_depth(network, example.pixels, example.intrinsics)
    rows = {"lite": measure(resized(estimate.depth, example.depth.shape), example.depth)}
    rows["best constant"] = measure(best_constant(example.depth), example.depth)
    floor = floor_prior(example)
    if floor is not None:
        rows["floor + wall"] = measure(floor, example.depth)
    return rows


def table(title: str, rows: dict[str, tuple[float, float, float]]) -> str:
    """Lines of a Markdown table."""
    return "\n".join(
        f"| {title} | {name} | " + " | ".join(f"{v:.3f}" for v in values) + " |" for name, values in rows.items()
    )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, help="instead of the packaged ones")
    parser.add_argument("--held-out", type=int, default=200, help="number of generated scenes")
    parser.add_argument("--photos", type=Path, default=ROOT.parent / "shared/photos")
    arguments = parser.parse_args()
    network = load_network(arguments.weights)
    print("| picture | method | " + " | ".join(MEASURES) + " |\n|---|---|---|---|---|")
    for example in (sample_room(), *real_photos(arguments.photos)):
        print(table(example.name, compare(example, network)), flush=True)
    per_kind: dict[str, dict[str, list[tuple[float, float, float]]]] = {}
    for example in held_out(arguments.held_out):
        for method, values in compare(example, network).items():
            for kind in (example.name, "all"):
                per_kind.setdefault(kind, {}).setdefault(method, []).append(values)
    for kind, methods in sorted(per_kind.items()):
        count = len(methods["lite"])
        means = {m: tuple(np.mean(v, axis=0)) for m, v in methods.items()}
        print(table(f"generated: {kind} ({count})", means), flush=True)


if __name__ == "__main__":
    main()
