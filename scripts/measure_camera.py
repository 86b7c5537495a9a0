"""Measure what the camera from a photo's lines is worth, and whether its intervals hold.

    PYTHONPATH=backend:scripts python scripts/measure_camera.py [--rooms 300] [--first 800000] [--size 640x480]
        [--photos ../shared/photos ../shared/samples] [--workers 2] [--each]

Generated rooms, offices and corridors with exact truth, none of which anything was tuned on: focal lengths of 18 to 60 mm, even in
their logarithm; pitch even within ±20°, roll within ±6°; any furniture, clutter, light, blur, noise and JPEG of the training
pictures' camera. Every other room is taken by an imperfect camera: principal point off the middle (sd 0.4 % of the diagonal), lens
distortion (sd 0.4 % in the corners). Seeds 700000 to 700219 were used to choose the noise model; use others to judge.

Real pictures: folders with ``photo.*`` and the focal length in ``intrinsics.json`` or ``truth.json``.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from image_to_3d.core.cameras.intrinsics import DIAGONAL_35MM
from image_to_3d.core.cameras.vanishing_points import KnownFocal, LineCamera, camera_from_lines
from image_to_3d.io.line_segments import line_segments
from train_lite import photograph, raycast, scenes
from train_lite.dataset import worth_a_photo

ROOT = Path(__file__).resolve().parents[1]
KINDS = ("room", "room", "room", "office", "corridor")
SHORTEST_MM, LONGEST_MM = 18.0, 60.0
PITCH_DEG, ROLL_DEG, TURN_DEG = 20.0, 6.0, 35.0
CENTRE_SD, CORNER_SD = 0.004, 0.004
EXIF_SD = 0.01


@dataclass(frozen=True, eq=False)
class Row:
    """A picture, its truth, and what its lines told.

    Attributes:
        focal_px: true. up: (3,) true, or None where unknown. bare: nothing else was known. exif: with the focal length.
        seconds: processor time of both steps, segments and camera.
    """

    name: str
    focal_px: float
    up: NDArray[np.float64] | None
    bare: LineCamera
    exif: LineCamera
    seconds: tuple[float, float]


def room(seed: int, width: int, height: int) -> tuple[NDArray[np.uint8], float, NDArray[np.float64]] | None:
    """Photo (H, W, 3), focal length in pixels, up (3,) in the camera frame; None where nobody would take a photo."""
    rng = np.random.default_rng([seed, 9])
    builder = scenes.Builder(np.random.default_rng(seed))
    position, yaw, _ = scenes.KINDS[KINDS[seed % len(KINDS)]][0](builder)
    mm = np.exp(rng.uniform(np.log(SHORTEST_MM), np.log(LONGEST_MM)))
    pitch, roll = np.radians(rng.uniform(-PITCH_DEG, PITCH_DEG)), np.radians(rng.uniform(-ROLL_DEG, ROLL_DEG))
    yaw += np.radians(rng.uniform(-TURN_DEG, TURN_DEG))
    focal = float(mm * np.hypot(width, height) / DIAGONAL_35MM)
    camera = raycast.Camera(position, scenes.look(position, yaw, pitch, roll), focal, width, height)
    linear, depth = raycast.render(builder.build(), camera, seed % 65536)
    if not worth_a_photo(depth, rng):
        return None
    up = camera.rotation.T @ np.array([0.0, 0.0, 1.0])
    if seed % 2:
        linear, shift = imperfect(linear, rng)
        # Attitude is that of the ray through the middle of the picture.
        ray = np.array([-shift[0] / focal, -shift[1] / focal, 1.0])
        up = _to_axis(ray) @ up
    return photograph.develop(linear, rng), focal, up


def _to_axis(ray: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3, 3): the least rotation that takes a ray to the optical axis."""
    z = ray / np.linalg.norm(ray)
    cross = np.cross(z, [0.0, 0.0, 1.0])
    k = np.array([[0, -cross[2], cross[1]], [cross[2], 0, -cross[0]], [-cross[1], cross[0], 0]])
    return np.eye(3) + k + k @ k / (1 + z[2])


def imperfect(linear: NDArray[np.float32], rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """The picture of a camera whose principal point is off the middle and whose lens bends lines; how far off, pixels."""
    import cv2

    height, width = linear.shape[:2]
    diagonal = np.hypot(width, height)
    shift, bend = rng.normal(0, CENTRE_SD * diagonal, 2), rng.normal(0, CORNER_SD) * 4
    v, u = np.mgrid[:height, :width].astype(np.float64)
    x, y = u + 0.5 - width / 2 - shift[0], v + 0.5 - height / 2 - shift[1]
    stretch = 1 + bend * (x**2 + y**2) / diagonal**2
    map_x, map_y = (x * stretch + width / 2 - 0.5), (y * stretch + height / 2 - 0.5)
    maps = map_x.astype(np.float32), map_y.astype(np.float32)
    return cv2.remap(linear, *maps, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), shift


def measured(name: str, pixels: NDArray[np.uint8], focal: float, up: NDArray[np.float64] | None) -> Row:
    """What the lines of a picture tell, without and with its focal length."""
    height, width = pixels.shape[:2]
    start = time.process_time()
    segments = line_segments(pixels)
    found = time.process_time()
    bare = camera_from_lines(segments, width, height)
    done = time.process_time()
    exif = camera_from_lines(segments, width, height, KnownFocal(focal, EXIF_SD))
    return Row(name, focal, up, bare, exif, (found - start, done - found))


def of_seed(arguments: tuple[int, int, int]) -> Row | None:
    """For worker processes."""
    taken = room(*arguments)
    seed = arguments[0]
    return None if taken is None else measured(f"{KINDS[seed % len(KINDS)]} {seed}", *taken)


def photos(folder: Path) -> Iterator[Row]:
    """Real pictures whose focal length is known."""
    for place in sorted(p for p in folder.iterdir() if list(p.glob("photo.*"))) if folder.is_dir() else ():
        camera = next((p for p in (place / "intrinsics.json", place / "truth.json") if p.exists()), None)
        if camera is not None:
            pixels = np.asarray(Image.open(next(place.glob("photo.*"))).convert("RGB"))
            yield measured(place.name, pixels, float(json.loads(camera.read_text())["fx"]), None)


def vertical_error(camera: LineCamera, up: NDArray[np.float64]) -> float:
    """Degrees between the found and the true vertical."""
    assert camera.attitude is not None
    return float(np.degrees(np.arccos(np.clip(camera.attitude.up @ up, -1.0, 1.0))))


def inside(row: Row) -> bool:
    """Whether the interval of the focal length holds."""
    assert row.bare.focal is not None
    low, high = row.bare.focal.interval_px
    return low <= row.focal_px <= high


def percent(part: list[bool]) -> str:
    """A share of a list."""
    return f"{100 * np.mean(part):.0f} %" if part else "–"


def table(rows: list[Row]) -> Iterator[str]:
    """Lines of Markdown."""
    yield "| kind | rooms | focal length answered | within 5 % | median error | 95 % interval holds | median half-width |"
    yield "|---|---|---|---|---|---|---|"
    for kind in ("all", *dict.fromkeys(KINDS)):
        own = [row for row in rows if kind == "all" or row.name.startswith(kind)]
        answered = [row for row in own if row.bare.focal is not None]
        error = [abs(np.log(row.bare.focal.px / row.focal_px)) for row in answered if row.bare.focal]
        width = [1.96 * row.bare.focal.relative_sd for row in answered if row.bare.focal]
        yield (
            f"| {kind} | {len(own)} | {percent([row.bare.focal is not None for row in own])} "
            f"| {percent([e < 0.05 for e in error])} "
            f"| {100 * np.median(error):.1f} % | {percent([inside(row) for row in answered])} | ± {100 * np.median(width):.1f} % |"
            if answered
            else f"| {kind} | {len(own)} | 0 % | – | – | – | – |"
        )
    yield ""
    yield "| focal length | attitude answered | within 0.5° | median error | 90 % of errors below | largest | within 2.45 sd |"
    yield "|---|---|---|---|---|---|---|"
    for title, pick in (("unknown", "bare"), (f"known, sd {100 * EXIF_SD:g} %", "exif")):
        pairs = [(getattr(row, pick), row.up) for row in rows if row.up is not None]
        told = [(camera, up) for camera, up in pairs if camera.attitude is not None]
        error = [vertical_error(camera, up) for camera, up in told]
        held = [e < 2.45 * camera.attitude.sd_deg for e, (camera, _) in zip(error, told, strict=True)]
        yield (
            f"| {title} | {percent([c.attitude is not None for c, _ in pairs])} | {percent([e < 0.5 for e in error])} "
            f"| {np.median(error):.2f}° | {np.quantile(error, 0.9):.2f}° | {max(error):.2f}° | {percent(held)} |"
        )
    yield ""
    segments, camera = np.median([row.seconds for row in rows], axis=0)
    yield f"Processor time (median): segments {segments:.2f} s, camera {camera:.2f} s."


def told(row: Row) -> str:
    """One line about a picture."""
    focal, attitude = row.bare.focal, row.bare.attitude
    words = [f"| {row.name} | {row.focal_px:.0f}"]
    if focal is None:
        words.append("not sure | –")
    else:
        low, high = focal.interval_px
        missed = "" if inside(row) else " **misses**"
        words.append(f"{focal.px:.0f} ({100 * (focal.px / row.focal_px - 1):+.1f} %) | {low:.0f} … {high:.0f}{missed}")
    if attitude is None:
        words.append("not sure")
    else:
        words.append(f"{attitude.pitch_deg:+.1f}°, {attitude.roll_deg:+.1f}° ± {1.96 * attitude.sd_deg:.1f}°")
    return " | ".join(words) + f" | {', '.join(row.bare.reasons)} |"


def main() -> None:
    """Print tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rooms", type=int, default=300, help="number of seeds; some show nothing and are left out")
    parser.add_argument("--first", type=int, default=800_000, help="first seed")
    parser.add_argument("--size", default="640x480", metavar="WxH", help="of generated pictures")
    parser.add_argument("--photos", type=Path, nargs="*", default=[ROOT.parent / "shared/photos"])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--each", action="store_true", help="a line for every room, too")
    arguments = parser.parse_args()
    width, height = (int(part) for part in arguments.size.split("x"))
    seeds = [(seed, width, height) for seed in range(arguments.first, arguments.first + arguments.rooms)]
    if seeds:
        with ProcessPoolExecutor(arguments.workers) as pool:
            rows = [row for row in pool.map(of_seed, seeds) if row is not None]
        if arguments.each:
            print("\n".join(told(row) for row in rows))
        print("\n".join(table(rows)))
    print(
        "\n| picture | true focal length, px | found | 95 % interval | pitch, roll | not told because |\n|---|---|---|---|---|---|"
    )
    for folder in arguments.photos:
        for row in photos(folder):
            print(told(row), flush=True)


if __name__ == "__main__":
    main()
