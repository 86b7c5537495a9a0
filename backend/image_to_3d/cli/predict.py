"""``image-to-3d predict``: photos → PLY files of Gaussians, in this process."""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import Cancelled, ErrorCode, ImageTo3DError
from . import render_outputs
from .options import add_engine_options, count, engine_options, fraction, positive
from .photos import Input, check_one_depth_file, find_photos, load_depth_for, load_photo
from .progress import ProgressLine

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..core import GaussianCloud
    from ..core.cloud.filtering import Filters
    from ..engines.base import Engine, Prediction
    from ..io.photo import Photo
    from ..render import Renderer

log = logging.getLogger(__name__)

_OF_ONE_PHOTO = (
    ErrorCode.IMAGE_UNREADABLE,
    ErrorCode.IMAGE_TOO_LARGE,
    ErrorCode.BAD_REQUEST,
    ErrorCode.OUT_OF_MEMORY,
    ErrorCode.ENGINE_FAILED,
)
"""Errors after which the other photos are still worth trying."""


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the subcommand."""
    parser: argparse.ArgumentParser = subparsers.add_parser("predict", help="photos to PLY files of Gaussians")
    parser.add_argument("photos", nargs="+", metavar="PHOTO", help="photo, folder (with its subfolders) or pattern")
    parser.add_argument("-o", "--output", type=Path, default=Path(), metavar="DIR", help="default: the current folder")
    add_engine_options(parser)
    add_filter_options(parser)
    parser.add_argument(
        "--fill",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="continue the background behind depth edges, so that small camera moves show no gaps; these Gaussians are "
        "marked as invented (default: the engines of relative depth do, the others do not)",
    )
    files = parser.add_argument_group("files")
    files.add_argument(
        "--format",
        choices=["ply", "ply-full"],
        default="ply",
        help="ply (default): for every splat viewer; ply-full: the published SHARP's layout, with camera and colour space",
    )
    files.add_argument("--overwrite", action="store_true", help="replace files that exist")
    files.add_argument("--json", action="store_true", help="one JSON object per photo on standard output")
    parser.add_argument(
        "--render",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="also render each scene, as the command render does with the options below",
    )
    render_outputs.add_arguments(parser)
    return parser


def add_filter_options(parser: argparse.ArgumentParser) -> None:
    """What is left out of the result."""
    group = parser.add_argument_group("filters")
    group.add_argument("--depth-max", "--depth_max", type=positive, metavar="METRES", help="drop what lies beyond")
    group.add_argument(
        "--alpha-threshold",
        "--alpha_thres",
        type=fraction,
        metavar="OPACITY",
        help="drop Gaussians fainter than this (0 to 1)",
    )
    group.add_argument(
        "--max-gaussians", type=count, metavar="N", help="merge neighbours until at most so many are left"
    )
    group.add_argument(
        "--mask", type=Path, metavar="IMAGE", help="picture over the photo: where it is white there are no Gaussians"
    )


def make_filters(args: argparse.Namespace) -> Filters:
    """What :func:`add_filter_options` asks for.

    Raises:
        ImageTo3DError: ``image_unreadable``, ``image_too_large``: the mask.
    """
    from ..core.cloud.filtering import Filters

    return Filters(args.depth_max, args.alpha_threshold, args.max_gaussians, load_mask(args.mask))


def load_mask(path: Path | None) -> NDArray[np.bool_] | None:
    """(H, W), True where the picture is brighter than mid-grey; None without a picture.

    Raises:
        ImageTo3DError: ``image_unreadable``, ``image_too_large``.
    """
    if path is None:
        return None
    from ..io.photo import load_photo as load_picture

    masked: NDArray[np.bool_] = load_picture(path).pixels.mean(axis=2) > 127.5
    return masked


def run(args: argparse.Namespace) -> int:
    """Work through the photos; 0 if all were done, 1 if some failed."""
    inputs = find_photos(args.photos)
    check_one_depth_file(inputs, args)
    filters = make_filters(args)
    engine = make_engine(args)
    renderer = make_renderer(args) if args.render else None
    failed = 0
    for position, item in enumerate(inputs, 1):
        name = item.path.name if len(inputs) == 1 else f"[{position}/{len(inputs)}] {item.path.name}"
        try:
            with ProgressLine(name, quiet=args.json or args.verbose > 0) as progress:
                report = predict_file(engine, item, args, filters, progress, renderer)
        except Cancelled:
            raise
        except ImageTo3DError as error:
            report = _failure(item, engine, error)
            failed += 1
            if error.code not in _OF_ONE_PHOTO:
                _tell(args, item, report)
                raise
        except Exception as error:
            log.debug("%s", item.path, exc_info=True)
            failed += 1
            message = f"The engine failed on this photo: {type(error).__name__}: {error}."
            report = _failure(item, engine, ImageTo3DError(ErrorCode.ENGINE_FAILED, message, "Use -vv for details."))
        _tell(args, item, report)
    return 1 if failed else 0


def make_engine(args: argparse.Namespace) -> Engine:
    """The engine of the command line; says which one ``auto`` took.

    Raises:
        ImageTo3DError: see :func:`image_to_3d.engines.registry.resolve` and the engine.
    """
    from ..engines.registry import create_engine, resolve

    name = resolve(args.engine, args.depth is not None, args.checkpoint)
    if args.engine == "auto":
        print(f"Engine: {name}", file=sys.stderr)
    return create_engine(name, engine_options(args))


def make_renderer(args: argparse.Namespace) -> Renderer:
    """The renderer of ``--render``; says which one it is and why."""
    from ..render import choose_renderer

    renderer, sentence = choose_renderer(args.renderer, lambda said: print(said, file=sys.stderr, flush=True))
    print(sentence, file=sys.stderr)
    return renderer


def predict_file(
    engine: Engine,
    item: Input,
    args: argparse.Namespace,
    filters: Filters,
    progress: ProgressLine,
    renderer: Renderer | None = None,
) -> dict[str, Any]:
    """One photo → its files; returns the report of ``--json``.

    Raises:
        ImageTo3DError: whatever goes wrong with this photo.
    """
    from ..core.cloud.background_fill import with_fill
    from ..io.ply import write_ply

    start = time.perf_counter()
    ply = args.output / item.output.with_name(item.output.name + ".ply")
    if ply.exists() and not args.overwrite:
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, f"{ply} exists already.", "Use --overwrite to replace it.")
    photo = load_photo(item.path, args)
    depth = load_depth_for(item.path, photo, args)
    decoded = time.perf_counter()
    prediction = engine.predict(photo, depth, progress)
    cloud = filters.apply(with_fill(prediction.cloud, args.fill))
    predicted = time.perf_counter()
    progress("write", 1.0)
    write_ply(ply, cloud, args.format)
    written = time.perf_counter()
    seconds = {"decode": decoded - start, **prediction.seconds, "write": written - predicted}
    outputs, warnings = {"ply": str(ply)}, list(prediction.warnings)
    if renderer is not None:
        rendered = render_outputs.render_cloud(
            cloud, ply.parent, ply.stem, args, renderer, f"{ply.stem}.camera_traj.json", progress
        )
        outputs |= rendered.outputs
        warnings += rendered.warnings
        seconds["render"] = rendered.seconds["total"]
    seconds["total"] = time.perf_counter() - start
    warnings += filter(None, [photo.focal.warning()])
    return _success(item, engine, photo, replace(prediction, warnings=tuple(warnings)), cloud, seconds, outputs)


def _success(
    item: Input,
    engine: Engine,
    photo: Photo,
    prediction: Prediction,
    cloud: GaussianCloud,
    seconds: dict[str, float],
    outputs: dict[str, str],
) -> dict[str, Any]:
    import numpy as np

    from ..core.cloud.background_fill import invented

    z = cloud.positions[:, 2]
    depth_m = {"min": float(z.min()), "median": float(np.median(z)), "max": float(z.max())}
    stages = ("decode", "preprocess", "network", "postprocess", "write", "total")
    return {
        "photo": str(item.path),
        "status": "ok",
        "engine": engine.info.name,
        "device": prediction.device,
        "precision": prediction.precision,
        "metric": cloud.provenance.metric,
        "gaussians": len(cloud),
        "invented": int(invented(cloud).sum()),
        "focal": {"px": photo.focal.px, "mm35": photo.focal.mm35, "source": photo.focal.source},
        "depth_m": {key: round(value, 4) for key, value in depth_m.items()},
        "seconds": {key: round(seconds.get(key, 0.0), 4) for key in dict.fromkeys((*stages, *seconds))},
        "outputs": outputs,
        "warnings": list(prediction.warnings),
    }


def _failure(item: Input, engine: Engine, error: ImageTo3DError) -> dict[str, Any]:
    return {
        "photo": str(item.path),
        "status": "error",
        "engine": engine.info.name,
        "outputs": {},
        "warnings": [],
        "error": {"code": error.code.value, "message": error.message, "hint": error.hint},
    }


def _tell(args: argparse.Namespace, item: Input, report: dict[str, Any]) -> None:
    """One line per photo: JSON on stdout, or words."""
    if args.json:
        print(json.dumps(report), flush=True)
        return
    if report["status"] == "error":
        print(f"{item.path}: {report['error']['message']} {report['error']['hint']}".rstrip(), file=sys.stderr)
        return
    for warning in report["warnings"]:
        print(f"{item.path}: {warning}", file=sys.stderr)
    seconds = report["seconds"]
    added = f" ({report['invented']:,} invented)" if report["invented"] else ""
    scale = "" if report["metric"] else " (not metric: calibrate)"
    print(
        f"{item.path} → {report['outputs']['ply']}  {report['gaussians']:,} Gaussians{added}, "
        f"{report['depth_m']['min']:.2f} to {report['depth_m']['max']:.2f} m{scale}, {seconds['total']:.1f} s",
        flush=True,
    )
    log.info("%s", ", ".join(f"{stage} {duration:.2f} s" for stage, duration in seconds.items()))
