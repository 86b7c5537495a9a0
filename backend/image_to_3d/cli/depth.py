"""``image-to-3d depth PHOTO… -o DIR``: heat maps and depth files."""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import Cancelled, ErrorCode, ImageTo3DError
from .options import add_engine_options
from .photos import Input, check_one_depth_file, find_photos, load_depth_for, load_photo
from .predict import make_engine
from .progress import ProgressLine

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..engines.base import Engine
    from ..io.photo import Photo

log = logging.getLogger(__name__)

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


@dataclass(frozen=True, eq=False)
class DepthEstimate:
    """What an engine knows about the depth of a photo.

    Attributes:
        values: (H, W) float32 at the photo's size: planar depth in metres if ``metric``, else disparity (larger is nearer);
            NaN is unknown.
        metric: which of the two.
        seconds: wall time per stage.
        warnings: sentences for a person.
    """

    values: NDArray[np.float32]
    metric: bool
    seconds: dict[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def inverse_depth(self) -> NDArray[np.floating]:
        """(H, W): larger is nearer in both cases."""
        from ..core.depth.depth_maps import inverse_depth

        return inverse_depth(self.values) if self.metric else self.values


def estimate_depth(
    engine: Engine, photo: Photo, depth: NDArray[np.float32] | None, progress: ProgressLine
) -> DepthEstimate:
    """Depth of a photo by any engine: the disparity of engines that have one, else the front layer of their Gaussians.

    Raises:
        ImageTo3DError: from the engine.
    """
    import numpy as np

    from ..core.depth.depth_maps import inverse_depth, resample_inverse_depth
    from ..engines.base import DisparityEngine

    start = time.perf_counter()
    if isinstance(engine, DisparityEngine):
        disparity = engine.disparity(photo, progress)
        return DepthEstimate(disparity, False, {"network": time.perf_counter() - start})
    prediction = engine.predict(photo, depth, progress)
    coarse = inverse_depth(prediction.cloud.depth_image(0))
    with np.errstate(divide="ignore"):
        fine = (1.0 / resample_inverse_depth(coarse, photo.height, photo.width)).astype(np.float32)
    return DepthEstimate(fine, True, prediction.seconds, prediction.warnings)


def run(args: argparse.Namespace) -> int:
    """Work through the photos; 0 if all were done, 1 if some failed."""
    inputs = find_photos(args.photos)
    check_one_depth_file(inputs, args)
    if args.threads is not None:
        import torch

        torch.set_num_threads(args.threads)
    engine = make_engine(args)
    failed = 0
    for position, item in enumerate(inputs, 1):
        name = item.path.name if len(inputs) == 1 else f"[{position}/{len(inputs)}] {item.path.name}"
        try:
            with ProgressLine(name, quiet=args.json or args.verbose > 0) as progress:
                report = depth_of_file(engine, item, args, progress)
        except Cancelled:
            raise
        except ImageTo3DError as error:
            if error.code is ErrorCode.WEIGHTS_MISSING:
                raise
            failed += 1
            report = {
                "photo": str(item.path),
                "status": "error",
                "engine": engine.info.name,
                "error": {"code": error.code.value, "message": error.message, "hint": error.hint},
            }
        _tell(report, args.json)
    return 1 if failed else 0


def depth_of_file(engine: Engine, item: Input, args: argparse.Namespace, progress: ProgressLine) -> dict[str, Any]:
    """One photo → its files; returns the report of ``--json``.

    Raises:
        ImageTo3DError: whatever goes wrong with this photo.
    """
    start = time.perf_counter()
    stem = args.output / item.output
    photo = load_photo(item.path, args)
    # Whether depth is metric is known only afterwards, but the heat map's name is always the same: better to refuse early.
    _refuse_existing([_with_suffix(stem, ".heatmap.png")], args.overwrite)
    depth = load_depth_for(item.path, photo, args)
    estimate = estimate_depth(engine, photo, depth, progress)
    outputs = output_files(stem, estimate.metric, args.write)
    _refuse_existing(list(outputs.values()), args.overwrite)
    write_depth_files(outputs, estimate, photo, args.legend)
    seconds = {**estimate.seconds, "total": time.perf_counter() - start}
    return {
        "photo": str(item.path),
        "status": "ok",
        "engine": engine.info.name,
        "metric": estimate.metric,
        "seconds": {stage: round(duration, 4) for stage, duration in seconds.items()},
        "outputs": {kind: str(path) for kind, path in outputs.items()},
        "warnings": list(estimate.warnings),
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
            raise ImageTo3DError(ErrorCode.BAD_REQUEST, f"{file} exists already.", "Use --overwrite to replace it.")


def write_depth_files(outputs: dict[str, Path], estimate: DepthEstimate, photo: Photo, legend: bool) -> None:
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
        raise ImageTo3DError(ErrorCode.ENGINE_FAILED, "The engine found no depth in this photo.", "Try another engine.")
    if outputs.keys() & {"heatmap", "side-by-side"}:
        scale = heat_scale(w)
        picture = heat_map(w, scale)
        if legend:
            picture = with_legend(picture, scale, estimate.metric)
        if "heatmap" in outputs:
            write_png(outputs["heatmap"], picture)
        if "side-by-side" in outputs:
            write_png(outputs["side-by-side"], side_by_side(photo.pixels, picture))
    if "npy" in outputs:
        write_depth_npy(outputs["npy"], estimate.values)
    if "png" in outputs:
        (write_depth_png if estimate.metric else write_disparity_png)(outputs["png"], estimate.values)
    if "exr" in outputs:
        write_depth_exr(outputs["exr"], estimate.values)


def _tell(report: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(report), flush=True)
        return
    if report["status"] == "error":
        print(f"{report['photo']}: {report['error']['message']} {report['error']['hint']}".rstrip(), file=sys.stderr)
        return
    for warning in report["warnings"]:
        print(f"{report['photo']}: {warning}", file=sys.stderr)
    quantity = "depth in metres" if report["metric"] else "relative inverse depth"
    files = ", ".join(report["outputs"].values())
    print(f"{report['photo']} → {files}  {quantity}, {report['seconds']['total']:.2f} s", flush=True)
