"""``image-to-3d depth PHOTO… -o DIR``: heat maps and depth files."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import ErrorCode, ImageTo3DError, said
from .batch import Report, work_through
from .options import add_engine_options, choose_engine, engine_pool, photo_options
from .photos import Input, check_one_depth_file, depth_file_for, find_photos
from .progress import ProgressLine

if TYPE_CHECKING:
    from ..engines.pool import EnginePool
    from ..pipeline import DepthEstimate

KINDS = {
    "heatmap": "coloured picture, near is bright",
    "npy": "float32, metres or relative disparity, the photo's size",
    "png": "16-bit, millimetres; relative disparity from 0 (far) to 65535",
    "exr": "float32, for compositing",
    "side-by-side": "photo and heat map in one picture",
}
DEFAULT_KINDS = ("heatmap", "npy", "png")


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the subcommand."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "depth",
        help="photos to heat maps and depth files",
        description="Write depth as heat map, NPY and 16-bit PNG. Engines without metres (midas-small, dpt-large) write relative "
        "inverse depth, called disparity.",
        allow_abbrev=False,
    )
    parser.add_argument("photos", nargs="+", metavar="PHOTO", help="photo, folder (with its subfolders) or pattern")
    parser.add_argument("-o", "--output", type=Path, default=Path(), metavar="DIR", help="default: the current folder")
    parser.add_argument(
        "--write",
        type=_kinds,
        default=DEFAULT_KINDS,
        metavar="KIND,…",
        help="what to write: "
        + "; ".join(f"{kind} ({what})" for kind, what in KINDS.items())
        + f" (default: {','.join(DEFAULT_KINDS)})",
    )
    parser.add_argument("--legend", action="store_true", help="a scale beside the heat map")
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")
    parser.add_argument("--json", action="store_true", help="one JSON object per photo on standard output")
    add_engine_options(parser)
    parser.add_argument("--threads", type=_threads, metavar="N", help="processor threads of the network (default: all)")
    return parser


def _kinds(text: str) -> tuple[str, ...]:
    kinds = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} cannot be written; there are {', '.join(KINDS)}")
    return kinds


def _threads(text: str) -> int:
    value = int(text) if text.isdecimal() else 0
    if not 1 <= value <= 1024:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of threads")
    return value


def run(args: argparse.Namespace) -> int:
    """Work through the photos; 0 if all were done, 1 if some failed."""
    inputs = find_photos(args.photos)
    check_one_depth_file(inputs, args)
    if args.threads is not None:
        import torch

        torch.set_num_threads(args.threads)
    pool = engine_pool(args)
    engine = choose_engine(args, pool)
    return work_through(
        inputs, args, engine, lambda item, progress: depth_of_file(pool, engine, item, args, progress), _tell
    )


def depth_of_file(
    pool: EnginePool, engine: str, item: Input, args: argparse.Namespace, progress: ProgressLine
) -> Report:
    """One photo → its files; returns the report of ``--json``.

    Raises:
        ImageTo3DError: whatever goes wrong with this photo.
    """
    from ..pipeline import estimate_depth

    start = time.perf_counter()
    stem = args.output / item.output
    # Whether depth is metric is known only afterwards, but the heat map's name is always the same: better to refuse early.
    _refuse_existing([_with_suffix(stem, ".heatmap.png")], args.overwrite)
    estimate = estimate_depth(
        item.path,
        depth_file_for(item.path, args),
        pool=pool,
        engine=engine,
        options=photo_options(args),
        progress=progress,
    )
    outputs = output_files(stem, estimate.metric, args.write)
    _refuse_existing(list(outputs.values()), args.overwrite)
    write_depth_files(outputs, estimate, args.legend)
    seconds = {**estimate.seconds, "total": time.perf_counter() - start}
    return {
        "photo": str(item.path),
        "status": "ok",
        "engine": estimate.engine,
        "metric": estimate.metric,
        "seconds": {stage: round(duration, 4) for stage, duration in seconds.items()},
        "outputs": {kind: str(path) for kind, path in outputs.items()},
        "warnings": [said(text, "cli") for text in estimate.warnings],
    }


def _with_suffix(stem: Path, suffix: str) -> Path:
    return stem.with_name(stem.name + suffix)


def output_files(stem: Path, metric: bool, kinds: tuple[str, ...]) -> dict[str, Path]:
    """Kind → file: ``STEM.depth.npy`` for metres, ``STEM.disparity.npy`` for relative engines, ``STEM.heatmap.png`` for both."""
    quantity = "depth" if metric else "disparity"
    suffixes = {
        "heatmap": ".heatmap.png",
        "npy": f".{quantity}.npy",
        "png": f".{quantity}.png",
        "exr": f".{quantity}.exr",
        "side-by-side": ".side-by-side.png",
    }
    return {kind: _with_suffix(stem, suffixes[kind]) for kind in kinds}


def _refuse_existing(files: list[Path], overwrite: bool) -> None:
    for file in files:
        if file.exists() and not overwrite:
            raise ImageTo3DError(ErrorCode.BAD_REQUEST, "files.file_exists", file=file)


def write_depth_files(outputs: dict[str, Path], estimate: DepthEstimate, legend: bool) -> None:
    """Write the files of :func:`output_files`.

    Raises:
        ImageTo3DError: nothing is known about the depth, or a file cannot be written.
    """
    import numpy as np

    from ..core.depth.heat_maps import heat_map, heat_scale
    from ..io.depth import write_depth_exr, write_depth_npy, write_depth_png, write_disparity_png
    from ..io.heat_map_pictures import side_by_side, with_legend
    from ..io.images import write_png

    w = estimate.inverse_depth()
    if not np.isfinite(w).any():
        raise ImageTo3DError(ErrorCode.ENGINE_FAILED, "engines.no_depth_found")
    if outputs.keys() & {"heatmap", "side-by-side"}:
        scale = heat_scale(w)
        picture = heat_map(w, scale)
        if legend:
            picture = with_legend(picture, scale, estimate.metric)
        if "heatmap" in outputs:
            write_png(outputs["heatmap"], picture)
        if "side-by-side" in outputs:
            write_png(outputs["side-by-side"], side_by_side(estimate.photo.pixels, picture))
    if "npy" in outputs:
        write_depth_npy(outputs["npy"], estimate.values)
    if "png" in outputs:
        (write_depth_png if estimate.metric else write_disparity_png)(outputs["png"], estimate.values)
    if "exr" in outputs:
        write_depth_exr(outputs["exr"], estimate.values)


def _tell(report: Report) -> None:
    """One line about a photo."""
    quantity = "depth in metres" if report["metric"] else "relative inverse depth"
    files = ", ".join(report["outputs"].values())
    print(f"{report['photo']} → {files}  {quantity}, {report['seconds']['total']:.2f} s", flush=True)
