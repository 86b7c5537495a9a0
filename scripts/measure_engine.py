"""Measure how wrong the depth of an engine is, and whether its intervals hold.

    python scripts/measure_engine.py fit ENGINE [--rooms 160] [--first 500000] [--output FILE.json]
    python scripts/measure_engine.py check ENGINE [--rooms 80] [--first 600000] [--photos ../shared/photos ../shared/samples]

``fit`` finds the parameters of :class:`image_to_3d.core.lengths.error_field.DepthErrorModel` on generated rooms with exact depth:
lengths between points of their surfaces, bare and after one and three known ones, are to be as probable as can be (composite
likelihood, Student's t). ``check`` measures on others, the way a person does: a photo through the engine, points picked in it,
``length_between``; it prints a table in Markdown of errors and of how many intervals hold. Rooms of ``fit`` and ``check`` must
not overlap, and no network may have been trained on either.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from image_to_3d import catalogue
from image_to_3d.core import FocalLength, ImageTo3DError, Intrinsics
from image_to_3d.core.cameras.intrinsics import DIAGONAL_35MM
from image_to_3d.core.lengths.calibration import engine_scale
from image_to_3d.core.lengths.error_field import DepthErrorModel, ErrorField
from image_to_3d.core.lengths.known_lengths import Known, solve
from image_to_3d.core.lengths.measuring import CONFIDENCE_95, SurfacePoint, length_between, point_at
from image_to_3d.core.surfaces.surface import SurfaceGrid
from image_to_3d.engines.base import EngineOptions
from image_to_3d.engines.registry import create_engine
from image_to_3d.io.photo import Photo
from train_lite import photograph, raycast, scenes
from train_lite.dataset import worth_a_photo

ROOT = Path(__file__).resolve().parents[1]
KINDS = ("room", "room", "room", "office", "corridor")
KNOWN = (0, 1, 3)
"""How many known lengths the intervals are checked after."""
LENGTHS = 24
SHORTEST_M, LONGEST_M = 0.3, 6.0
NEAREST_PX = 0.04
"""Two ends lie at least this share of the diagonal apart."""
EDGE = 0.08
"""Step of ln z from which on two pixels lie on two things; nobody measures from such a border."""


@dataclass(frozen=True, eq=False)
class Example:
    """A photo with its true depth (rows, cols), metres; NaN or infinite where unknown."""

    name: str
    pixels: NDArray[np.uint8]
    depth: NDArray[np.float32]
    intrinsics: Intrinsics


def rooms(first: int, count: int, width: int = 320, height: int = 240) -> Iterator[Example]:
    """Generated rooms, offices and corridors of seeds from ``first`` on."""
    seed = first
    while count:
        kind = KINDS[seed % len(KINDS)]
        scene, camera, _ = scenes.make_scene(seed, width, height, kind)
        linear, depth = raycast.render(scene, camera, seed % 65536)
        rng = np.random.default_rng([seed, 1])
        seed += 1
        if worth_a_photo(depth, rng):
            count -= 1
            intrinsics = Intrinsics.centred(camera.focal_px, width, height)
            yield Example(f"{kind} {seed - 1}", photograph.develop(linear, rng), depth, intrinsics)


def photos(folder: Path) -> Iterator[Example]:
    """Folders with ``photo.*``, ``depth_mm.png`` and the camera in ``intrinsics.json`` or ``truth.json``."""
    for place in sorted(p for p in folder.iterdir() if (p / "depth_mm.png").exists()) if folder.is_dir() else ():
        camera = next(p for p in (place / "intrinsics.json", place / "truth.json") if p.exists())
        k = json.loads(camera.read_text())
        pixels = np.asarray(Image.open(next(place.glob("photo.*"))).convert("RGB"))
        height, width = pixels.shape[:2]
        z = np.asarray(Image.open(place / "depth_mm.png")).astype(np.float32) / 1000
        intrinsics = Intrinsics(k["fx"], k["fy"], k["cx"], k["cy"], width, height)
        yield Example(place.name, pixels, np.where(z > 0, z, np.nan).astype(np.float32), intrinsics)


def usable(depth: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Pixels of known depth up to 30 m that do not lie beside a depth edge (three pixels)."""
    known = np.isfinite(depth) & (depth > 0)
    logs = np.log(np.where(known, depth, 1e3))
    beside = ~known
    for step in (1, 2, 3):
        for axis in (0, 1):
            first, second = [slice(None)] * 2, [slice(None)] * 2
            first[axis], second[axis] = slice(step, None), slice(None, -step)
            jump = np.abs(logs[tuple(first)] - logs[tuple(second)]) > EDGE * step
            beside[tuple(first)] |= jump
            beside[tuple(second)] |= jump
    return known & ~beside & (depth <= 30)


def pick(example: Example, rng: np.random.Generator) -> tuple[NDArray[np.int_], NDArray[np.float64]]:
    """(n, 2, 2) pixels (column, row) and true lengths (n,) between them, as a person might measure them."""
    k, ok = example.intrinsics, usable(example.depth)
    rows, cols = np.nonzero(ok)
    if len(rows) < 100:
        return np.zeros((0, 2, 2), int), np.zeros(0)
    chosen = rng.integers(0, len(rows), (8000, 2))
    uv = np.stack([cols[chosen], rows[chosen]], -1)
    z = example.depth[uv[..., 1], uv[..., 0]].astype(np.float64)
    rays = np.stack([(uv[..., 0] + 0.5 - k.cx) / k.fx, (uv[..., 1] + 0.5 - k.cy) / k.fy, np.ones(z.shape)], -1)
    ends = rays * z[..., None]
    metres = np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1)
    apart = np.linalg.norm(uv[:, 0] - uv[:, 1], axis=1) / np.hypot(k.width, k.height)
    good = np.flatnonzero((metres > SHORTEST_M) & (metres < LONGEST_M) & (apart > NEAREST_PX))[: LENGTHS + max(KNOWN)]
    return uv[good], metres[good]


@dataclass(frozen=True, eq=False)
class Measured:
    """What the engine says about the lengths of one picture: surface points in pairs, true lengths, its scale, its surface."""

    name: str
    grid: SurfaceGrid
    points: list[tuple[SurfacePoint, SurfacePoint]]
    true_m: NDArray[np.float64]
    provenance: Any


def measure(engine: Any, example: Example, rng: np.random.Generator) -> Measured | None:
    """A photo through an engine, and lengths picked in it; None where too few can be."""
    uv, true = pick(example, rng)
    k = example.intrinsics
    photo = Photo(example.pixels, FocalLength(k.fx, k.fx * DIAGONAL_35MM / float(np.hypot(k.width, k.height)), "user"))
    cloud = engine.predict(photo).cloud
    grid = SurfaceGrid.from_cloud(cloud)
    points, kept = [], []
    for (a, b), metres in zip(uv, true, strict=True):
        try:
            points.append((point_at(grid, (a[0] + 0.5, a[1] + 0.5)), point_at(grid, (b[0] + 0.5, b[1] + 0.5))))
        except ImageTo3DError:  # the engine sees sky there
            continue
        kept.append(metres)
    if len(kept) < max(KNOWN) + 5:
        return None
    return Measured(example.name, grid, points, np.array(kept), cloud.provenance)


# --- check -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """One length: relative error, half the relative width of its interval, whether that holds the truth, and after how many known
    lengths."""

    picture: str
    known: int
    error: float
    half: float
    holds: bool


def judge(measured: Measured) -> Iterator[Row]:
    """Every length of a picture, bare and after known ones (the first of the list)."""
    sd = catalogue.scale_sd(measured.provenance.engine, measured.provenance.metric)
    prior = engine_scale(measured.provenance, measured.grid.intrinsics, sd)
    pairs = list(zip(measured.points, measured.true_m, strict=True))
    for count in KNOWN:
        scale = prior
        if count:
            known = [Known(a, b, float(metres)) for (a, b), metres in pairs[:count]]
            scale = solve(measured.grid, known, prior, True).scale
        for (a, b), metres in pairs[max(KNOWN) :]:
            length = length_between(a, b, scale)
            low, high = length.interval
            half = (high - low) / 2 / metres
            yield Row(measured.name, count, length.metres / metres - 1, half, bool(low <= metres <= high))


def table(title: str, rows: Sequence[Row]) -> str:
    """Lines of a Markdown table."""
    lines = []
    for count in KNOWN:
        of = [row for row in rows if row.known == count]
        error, half = np.abs([row.error for row in of]), np.array([row.half for row in of])
        lines.append(
            f"| {title} | {len({row.picture for row in of})} | {count} | {len(of)} | {100 * np.median(error):.1f} % |"
            f" {100 * np.quantile(error, 0.9):.0f} % | ± {100 * np.median(half):.1f} % |"
            f" {np.median(half) / np.median(error):.1f} | **{100 * np.mean([row.holds for row in of]):.1f} %** |"
        )
    return "\n".join(lines)


HEADER = (
    "| pictures | number | known lengths | lengths | median error | nine in ten below | median interval | interval / error |"
    " intervals that hold |\n|---|---|---|---|---|---|---|---|---|"
)


def check(arguments: argparse.Namespace) -> None:
    """Print the table."""
    engine = create_engine(arguments.engine, EngineOptions())
    print(HEADER, flush=True)
    groups = [("generated rooms", rooms(arguments.first, arguments.rooms))]
    real = [example for folder in arguments.photos for example in photos(folder)]
    groups += [("photographs and renderings", iter(real))] if real else []
    for title, examples in groups:
        rows: list[Row] = []
        each: dict[str, list[Row]] = {}
        for number, example in enumerate(examples):
            measured = measure(engine, example, np.random.default_rng([arguments.seed, number]))
            if measured is not None:
                found = list(judge(measured))
                rows += found
                each[example.name] = found
        print(table(title, rows), flush=True)
        if title != "generated rooms" or arguments.each:
            for name, found in each.items():
                print(table(f"… {name}", found), flush=True)


# --- fit ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Batch:
    """Lengths of many pictures as tensors: places (p, n, 2, 3), logarithm of the own error (p, n, 2), weights (p, n, 2), ln(engine
    / true) (p, n), ln of the median depth (p,)."""

    places: torch.Tensor
    own: torch.Tensor
    weights: torch.Tensor
    ratio: torch.Tensor
    median: torch.Tensor


def batch(pictures: Sequence[Measured]) -> Batch:
    """What :func:`likelihood` needs."""
    columns: list[list[Any]] = [[], [], [], [], []]
    size = LENGTHS + max(KNOWN)
    for m in pictures:
        if len(m.points) < size:
            continue
        k = m.grid.intrinsics
        ends = np.array([[a.position, b.position] for a, b in m.points[:size]])
        uv = np.array([[a.uv, b.uv] for a, b in m.points[:size]])
        field = ErrorField.from_plain(m.provenance.details["depth_error"], k)
        own = (
            np.zeros(uv.shape[:2])
            if field.own is None
            else np.log(field.own.at(uv[..., 0] / k.width, uv[..., 1] / k.height))
        )
        between = ends[:, 0] - ends[:, 1]
        squared = np.einsum("ij,ij->i", between, between)
        weights = np.stack([np.einsum("ij,ij->i", between, ends[:, 0]), -np.einsum("ij,ij->i", between, ends[:, 1])], 1)
        diagonal = np.hypot(k.width, k.height)
        columns[0].append(np.concatenate([uv / diagonal, np.log(ends[..., 2:])], -1))
        columns[1].append(own)
        columns[2].append(weights / squared[:, None])
        columns[3].append(0.5 * np.log(squared) - np.log(m.true_m[:size]))
        columns[4].append(np.log(field.median_depth))
    return Batch(*(torch.tensor(np.array(column)) for column in columns))


PARAMETERS = ("scale_sd", "gain", "length", "depth_weight", "floor_sd")
"""Fitted by their logarithms, the others as they are."""


def predicted(theta: dict[str, torch.Tensor], data: Batch, known: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Error (p, m) and standard deviation of the lengths that are not among the known ones, as ``ErrorField`` has them."""
    pictures, n = data.ratio.shape
    places = data.places.reshape(pictures, 2 * n, 3)
    h = torch.exp(
        theta["gain"]
        + theta["exponent"] * data.own.reshape(pictures, 2 * n)
        + theta["growth"] * (places[..., 2] - data.median[:, None])
    )
    stretched = torch.cat([places[..., :2], places[..., 2:] * torch.exp(theta["depth_weight"])], -1)
    C = torch.exp(2 * theta["scale_sd"]) + h[:, :, None] * h[:, None] * torch.exp(
        -torch.cdist(stretched, stretched) / torch.exp(theta["length"])
    )
    w = torch.zeros(pictures, n, 2 * n, dtype=C.dtype)
    each = torch.arange(n)
    w[:, each, 2 * each], w[:, each, 2 * each + 1] = data.weights[..., 0], data.weights[..., 1]
    S = w @ C @ w.transpose(1, 2)
    off = data.ratio - theta["bias"] * data.weights.sum(2)
    floor = torch.exp(2 * theta["floor_sd"])
    wanted = slice(max(KNOWN), None)
    variance = torch.diagonal(S, dim1=1, dim2=2)[:, wanted] + floor
    if not known:
        return off[:, wanted], torch.sqrt(variance)
    across = S[:, :known, wanted]
    K = S[:, :known, :known] + floor * torch.eye(known, dtype=C.dtype)
    gain = torch.linalg.solve(K, across)
    mean = (gain * off[:, :known, None]).sum(1)
    left = (variance - (gain * across).sum(1)).clamp_min(1e-8)
    return off[:, wanted] - mean, torch.sqrt(left)


def fit(arguments: argparse.Namespace) -> None:
    """Print the parameters, and write them."""
    torch.set_num_threads(1)
    engine = create_engine(arguments.engine, EngineOptions())
    start = time.perf_counter()
    pictures = []
    for number, example in enumerate(rooms(arguments.first, arguments.rooms)):
        measured = measure(engine, example, np.random.default_rng([arguments.seed, number]))
        pictures += [] if measured is None else [measured]
    data = batch(pictures)
    print(f"{len(data.ratio)} pictures in {time.perf_counter() - start:.0f} s", file=sys.stderr)
    guess = {"scale_sd": np.log(0.1), "gain": 0.0, "exponent": 1.0, "growth": 0.0, "length": np.log(0.5)}
    guess |= {"depth_weight": np.log(0.5), "floor_sd": np.log(0.01), "bias": 0.0}
    theta = {name: torch.tensor(float(value), dtype=torch.float64, requires_grad=True) for name, value in guess.items()}
    tails = 5.0
    optimiser = torch.optim.LBFGS(list(theta.values()), max_iter=120, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        total = torch.zeros((), dtype=torch.float64)
        for known in KNOWN:
            error, sd = predicted(theta, data, known)
            spread = sd * np.sqrt((tails - 2) / tails)
            total = total + (torch.log(spread) + 0.5 * (tails + 1) * torch.log1p((error / spread) ** 2 / tails)).mean()
        for name in ("scale_sd", "floor_sd"):  # no parameter runs away to nothing
            total = total + 1e-3 * (theta[name] - np.log(0.03)) ** 2
        total.backward()
        return total

    optimiser.step(loss)
    values = {n: float(torch.exp(v) if n in PARAMETERS else v) for n, v in theta.items()}
    with torch.no_grad():
        ratios = torch.cat([torch.cat([(e / s).abs().ravel() for e, s in [predicted(theta, data, n)]]) for n in KNOWN])
    stretch = float(torch.quantile(ratios, 0.95)) / CONFIDENCE_95
    model = DepthErrorModel(**{n: round(v, 4) for n, v in values.items()}, stretch=round(stretch, 3), source="measured")
    text = json.dumps(asdict(model), indent=1)
    print(text)
    if arguments.output is not None:
        arguments.output.write_text(text + "\n")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for name, run, count, first in (("fit", fit, 160, 500_000), ("check", check, 80, 600_000)):
        command = commands.add_parser(name)
        command.set_defaults(run=run)
        command.add_argument("engine")
        command.add_argument("--rooms", type=int, default=count, help="number of generated rooms")
        command.add_argument("--first", type=int, default=first, help="seed of the first room")
        command.add_argument("--seed", type=int, default=0, help="of the choice of lengths")
        if name == "fit":
            command.add_argument("--output", type=Path, help="JSON file of the parameters")
        else:
            command.add_argument(
                "--photos", type=Path, nargs="*", default=[], help="folders of pictures with known depth"
            )
            command.add_argument("--each", action="store_true", help="a row for every generated room as well")
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
