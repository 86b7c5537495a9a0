"""What the subcommands that make Gaussians from photos have in common: engine, device, focal length, depth."""

from __future__ import annotations

import argparse
import math
import sys
from typing import TYPE_CHECKING

from ..catalogue import ENGINES

if TYPE_CHECKING:
    from ..engines.pool import EnginePool
    from ..pipeline import PhotoOptions


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """Which engine, on what, and what is known about the photo."""
    group = parser.add_argument_group("engine")
    group.add_argument(
        "--engine",
        default="auto",
        metavar="NAME",
        help=f"{', '.join(ENGINES)}; auto (default) takes the best one whose weights are here",
    )
    group.add_argument("-c", "--checkpoint", metavar="FILE", help="weights of the engine, if not in the usual place")
    group.add_argument("--device", choices=["auto", "cuda", "mps", "cpu"], default="auto")
    group.add_argument(
        "--precision",
        choices=["auto", "fp32", "bf16", "fp16"],
        default="auto",
        help="of the network; auto (default): fp16 on CUDA, fp32 elsewhere",
    )
    photo = parser.add_argument_group("photo")
    focal = photo.add_mutually_exclusive_group()
    focal.add_argument("--focal-mm", type=positive, metavar="MM", help="focal length as 35 mm equivalent")
    focal.add_argument("--fov", type=positive, metavar="DEGREES", help="horizontal field of view")
    photo.add_argument(
        "--depth",
        metavar="FILE",
        help="depth in metres (PNG or TIFF in mm, EXR, NPY, NPZ) for the engine depth-map; for several photos a folder with "
        "files of the photos' names",
    )
    photo.add_argument("--resize-depth", action="store_true", help="stretch a depth map of another size to the photo's")


def engine_pool(args: argparse.Namespace) -> EnginePool:
    """Where the engines of :func:`add_engine_options` come from."""
    from ..engines.base import EngineOptions
    from ..engines.pool import EnginePool

    return EnginePool(EngineOptions(args.device, args.precision, args.checkpoint, checkpoint_of=args.engine))


def choose_engine(args: argparse.Namespace, pool: EnginePool) -> str:
    """The engine of the command line, ready to work; says which one ``auto`` took.

    Raises:
        ImageTo3DError: see :meth:`~image_to_3d.engines.pool.EnginePool.use`.
    """
    name = pool.resolve(args.engine, args.depth is not None)
    if args.engine == "auto":
        print(f"Engine: {name}", file=sys.stderr)
    with pool.use(name):  # what is missing is said once, before the first photo
        return name


def photo_options(args: argparse.Namespace) -> PhotoOptions:
    """What the options say about the photo."""
    from ..pipeline import PhotoOptions

    return PhotoOptions(args.focal_mm, args.fov, args.resize_depth)


def positive(text: str) -> float:
    """A finite number above 0, for argparse."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
    if not (math.isfinite(value) and value > 0):
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value


def fraction(text: str) -> float:
    """A number from 0 to 1, for argparse."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
    if not 0.0 <= value <= 1.0:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


def count(text: str) -> int:
    """A whole number of Gaussians, at least 1000, for argparse."""
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
    if value < 1000:
        raise argparse.ArgumentTypeError(f"at least 1000 Gaussians are needed, not {value}")
    return value
