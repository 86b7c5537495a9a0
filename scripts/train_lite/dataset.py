"""Training pictures in shards on disk.

    python -m train_lite.dataset --out build/train_lite/shards --first 0 --stride 2

writes ``shard_000000.npz`` and so on, each with pictures of one format. A shard is a function of its number (and of
``--scale``) alone. Several processes share the work with ``--first`` and ``--stride``.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from . import photograph, raycast, scenes

FORMATS = (((176, 128), 0.4), ((192, 128), 0.2), ((128, 176), 0.15), ((208, 112), 0.1), ((128, 192), 0.05),
           ((144, 144), 0.05), ((112, 208), 0.05))  # fmt: skip
"""((width, height), share): multiples of 16 of about the same area."""

SHARD = 128
"""Pictures in a shard."""
NEAREST, FARTHEST = 0.05, 500.0
"""Range of stored depths, metres."""
TRAINING_SEED = 1_000_000
"""Scenes with smaller seeds are never trained on."""


def encode_depth(depth: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Planar depth in metres as 16-bit logarithm (steps of 1.4e-4); sky (infinite) → 0."""
    with np.errstate(divide="ignore"):
        q = np.log(np.clip(depth, NEAREST, FARTHEST) / NEAREST) / np.log(FARTHEST / NEAREST)
    return np.where(np.isfinite(depth), 1 + np.rint(q * 65534), 0).astype(np.uint16)


def decode_depth(code: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Inverse of :func:`encode_depth`; sky is infinite."""
    z = NEAREST * np.exp((code.astype(np.float32) - 1) / 65534 * np.float32(np.log(FARTHEST / NEAREST)))
    return np.where(code > 0, z, np.inf).astype(np.float32)


def worth_a_photo(depth: NDArray[np.float32], rng: np.random.Generator) -> bool:
    """Few people photograph a wall from near by, or the sky."""
    seen = np.isfinite(depth)
    if seen.mean() < 0.4:
        return False
    low, middle, high = np.percentile(depth[seen], [3, 50, 97])
    if middle < 0.35 or low < 0.12:
        return False
    return bool(high > 1.35 * low or rng.random() < 0.1)


def example(
    seed: int, width: int, height: int, kind: str | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.float32], float, str]:
    """(photo (H, W, 3), planar depth (H, W), focal length in pixels, kind of scene) of a seed."""
    rng = np.random.default_rng([seed, 1])
    for attempt in range(8):
        scene, camera, name = scenes.make_scene(seed + 7_777_777 * attempt, width, height, kind)
        linear, depth = raycast.render(scene, camera, seed % 65536)
        if worth_a_photo(depth, rng):
            break
    return photograph.develop(linear, rng), depth, camera.focal_px, name


def shard_format(number: int, scale: float = 1.0) -> tuple[int, int]:
    """(width, height) of the pictures of a shard."""
    sizes, shares = zip(*FORMATS, strict=True)
    w, h = sizes[np.random.default_rng([number, 2]).choice(len(sizes), p=shares)]
    return round(w * scale / 16) * 16, round(h * scale / 16) * 16


def write_shard(folder: Path, number: int, scale: float = 1.0, count: int = SHARD) -> Path:
    """Render a shard: ``photos`` (N, H, W, 3) uint8, ``depth`` (N, H, W) uint16, ``focal`` (N,) float32 pixels."""
    width, height = shard_format(number, scale)
    photos = np.empty((count, height, width, 3), np.uint8)
    depth = np.empty((count, height, width), np.uint16)
    focal = np.empty(count, np.float32)
    for i in range(count):
        photos[i], z, focal[i], _ = example(TRAINING_SEED + number * SHARD + i, width, height)
        depth[i] = encode_depth(z)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"shard_{number:06d}.npz"
    partial = target.with_suffix(".partial")
    with partial.open("wb") as stream:
        np.savez(stream, photos=photos, depth=depth, focal=focal)
    partial.replace(target)
    return target


def main() -> None:
    """Write shards until killed or done."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("build/train_lite/shards"))
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--stride", type=int, default=1)
    parser.add_argument("--last", type=int, default=800)
    parser.add_argument("--scale", type=float, default=1.0, help="of the picture size")
    arguments = parser.parse_args()
    for number in range(arguments.first, arguments.last, arguments.stride):
        if not (arguments.out / f"shard_{number:06d}.npz").exists():
            start = time.perf_counter()
            path = write_shard(arguments.out, number, arguments.scale)
            print(f"{path.name} {SHARD / (time.perf_counter() - start):.1f} pictures/s", flush=True)


if __name__ == "__main__":
    main()
