"""``image-to-3d convert SCENE OUTPUT``: a file of Gaussians in another format."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .. import file_kinds
from ..core.errors import ErrorCode, ImageTo3DError
from . import EXIT_OK


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> argparse.ArgumentParser:
    """Describe the subcommand."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "convert",
        help="files of Gaussians into another format",
        description="Convert a file of 3D Gaussians; the suffixes say from what into what: "
        f"{', '.join(file_kinds.suffixes(file_kinds.SPLATS))}.",
        allow_abbrev=False,
    )
    parser.add_argument("scene", type=Path, metavar="SCENE", help="file to read")
    parser.add_argument("output", type=Path, metavar="OUTPUT", help="file to write")
    parser.add_argument(
        "--format",
        choices=["ply", "ply-full"],
        default="ply",
        help="of a PLY: ply (default) for every splat viewer; ply-full: the published SHARP's layout",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a file that exists")
    return parser


def run(args: argparse.Namespace) -> int:
    """Read, write, say what came."""
    from ..io.gaussian_files import read_scene, write_scene

    if args.output.exists() and not args.overwrite:
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "files.output_exists", output=args.output)
    cloud = read_scene(args.scene)
    write_scene(args.output, cloud, args.format)
    print(f"{args.scene} → {args.output}  {len(cloud):,} Gaussians, {args.output.stat().st_size / 1e6:.1f} MB")
    return EXIT_OK
