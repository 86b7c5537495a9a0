"""``image-to-3d predict``: photos → PLY files of Gaussians, in this process."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import ErrorCode, ImageTo3DError, said
from . import render_outputs
from .batch import Report, work_through
from .options import add_engine_options, choose_engine, count, engine_pool, fraction, photo_options, positive
from .photos import Input, check_one_depth_file, depth_file_for, find_photos
from .progress import ProgressLine

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..core.cloud.filtering import Filters
    from ..engines.pool import EnginePool
    from ..pipeline import Prediction
    from ..render import Renderer

log = logging.getLogger(__name__)


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
    pool = engine_pool(args)
    engine = choose_engine(args, pool)
    renderer = make_renderer(args) if args.render else None
    job = PredictJob(args, pool, engine, filters, renderer)
    return work_through(inputs, args, engine, job.make, _tell)


def make_renderer(args: argparse.Namespace) -> Renderer:
    """The renderer of ``--render``; says which one it is and why."""
    from ..render import choose_renderer

    renderer, sentence = choose_renderer(args.renderer, lambda said: print(said, file=sys.stderr, flush=True))
    print(sentence, file=sys.stderr)
    return renderer


@dataclass(frozen=True)
class PredictJob:
    """What is done with every photo."""

    args: argparse.Namespace
    pool: EnginePool
    engine: str
    filters: Filters
    renderer: Renderer | None = None

    def make(self, item: Input, progress: ProgressLine) -> Report:
        """One photo → its files; returns the report of ``--json``.

        Raises:
            ImageTo3DError: whatever goes wrong with this photo.
        """
        from ..io.ply import write_ply
        from ..pipeline import predict

        start, args = time.perf_counter(), self.args
        ply = args.output / item.output.with_name(item.output.name + ".ply")
        if ply.exists() and not args.overwrite:
            raise ImageTo3DError(ErrorCode.BAD_REQUEST, "files.ply_exists", ply=ply)
        prediction = predict(
            item.path,
            depth_file_for(item.path, args),
            pool=self.pool,
            engine=self.engine,
            options=photo_options(args),
            fill=args.fill,
            filters=self.filters,
            progress=progress,
        )
        cloud, predicted = prediction.cloud, time.perf_counter()
        progress("write", 1.0)
        write_ply(ply, cloud, args.format)
        seconds = {**prediction.seconds, "write": time.perf_counter() - predicted}
        outputs, warnings = {"ply": str(ply)}, [said(text, "cli") for text in prediction.warnings]
        if self.renderer is not None:
            rendered = render_outputs.render_cloud(
                cloud, ply.parent, ply.stem, args, self.renderer, f"{ply.stem}.camera_traj.json", progress
            )
            outputs |= rendered.outputs
            warnings += rendered.warnings
            seconds["render"] = rendered.seconds["total"]
        seconds["total"] = time.perf_counter() - start
        return _success(item, prediction, seconds, outputs, warnings)


def _success(
    item: Input, prediction: Prediction, seconds: dict[str, float], outputs: dict[str, str], warnings: list[str]
) -> Report:
    import numpy as np

    from ..core.cloud.background_fill import invented

    cloud, focal = prediction.cloud, prediction.focal
    z = cloud.positions[:, 2]
    depth_m = {"min": float(z.min()), "median": float(np.median(z)), "max": float(z.max())}
    stages = ("decode", "preprocess", "network", "postprocess", "write", "total")
    return {
        "photo": str(item.path),
        "status": "ok",
        "engine": prediction.engine,
        "device": prediction.device,
        "precision": prediction.precision,
        "metric": cloud.provenance.metric,
        "gaussians": len(cloud),
        "invented": int(invented(cloud).sum()),
        "focal": {"px": focal.px, "mm35": focal.mm35, "source": focal.source},
        "depth_m": {key: round(value, 4) for key, value in depth_m.items()},
        "seconds": {key: round(seconds.get(key, 0.0), 4) for key in dict.fromkeys((*stages, *seconds))},
        "outputs": outputs,
        "warnings": warnings,
    }


def _tell(report: Report) -> None:
    """One line about a photo."""
    seconds = report["seconds"]
    added = f" ({report['invented']:,} invented)" if report["invented"] else ""
    scale = "" if report["metric"] else " (not metric: calibrate)"
    print(
        f"{report['photo']} → {report['outputs']['ply']}  {report['gaussians']:,} Gaussians{added}, "
        f"{report['depth_m']['min']:.2f} to {report['depth_m']['max']:.2f} m{scale}, {seconds['total']:.1f} s",
        flush=True,
    )
    log.info("%s", ", ".join(f"{stage} {duration:.2f} s" for stage, duration in seconds.items()))
