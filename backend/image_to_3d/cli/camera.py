"""``image-to-3d camera PHOTO…``: focal length and attitude from what the file says and from the photo's own lines."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import ErrorCode, ImageTo3DError
from .options import positive
from .photos import find_photos

if TYPE_CHECKING:
    from ..photo_camera import PhotoCamera

log = logging.getLogger(__name__)

SOURCES = {
    "exif35": "from the photo",
    "exif": "from the photo's lens",
    "user": "given",
    "vanishing-points": "from its lines",
    "assumed": "assumed",
}


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the subcommand."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "camera",
        help="focal length and attitude of photos, from EXIF and straight lines",
        description="Tell focal length, pitch (up is positive) and roll (clockwise is positive) of the camera of each photo, from "
        "EXIF and from the straight lines in it, with 95 %% intervals. Where the lines do not tell, it says why.",
        allow_abbrev=False,
    )
    parser.add_argument("photos", nargs="+", metavar="PHOTO", help="photo, folder (with its subfolders) or pattern")
    focal = parser.add_mutually_exclusive_group()
    focal.add_argument(
        "--focal-mm", type=positive, metavar="MM", help="focal length as 35 mm equivalent, if you know it"
    )
    focal.add_argument("--fov", type=positive, metavar="DEGREES", help="horizontal field of view in place of it")
    parser.add_argument(
        "--overlay",
        type=Path,
        metavar="FILE.png",
        help="of one photo: draw its lines, red across, green upright, blue ahead, grey what follows none",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a file that exists")
    parser.add_argument("--json", action="store_true", help="one JSON object per photo on standard output")
    return parser


def run(args: argparse.Namespace) -> int:
    """Tell each photo's camera; 0 if all could be read, 1 if some could not. "Not sure" is an answer."""
    from ..io.images import write_png
    from ..io.photo import load_photo
    from ..photo_camera import camera_of_photo, with_lines

    inputs = find_photos(args.photos)
    if args.overlay is not None:
        if len(inputs) != 1:
            raise ImageTo3DError(ErrorCode.BAD_REQUEST, "commands.overlay_of_several")
        if args.overlay.suffix.lower() != ".png":
            raise ImageTo3DError(ErrorCode.BAD_REQUEST, "commands.overlay_suffix", file=args.overlay)
        if args.overlay.exists() and not args.overwrite:
            raise ImageTo3DError(ErrorCode.BAD_REQUEST, "files.file_exists", file=args.overlay)
    failed = 0
    for item in inputs:
        try:
            photo = load_photo(item.path).with_focal(args.focal_mm, args.fov)
        except ImageTo3DError as error:
            if error.code == ErrorCode.BAD_REQUEST:
                raise
            failed += 1
            log.debug("%s", item.path, exc_info=True)
            if args.json:
                message, hint = error.words("cli")
                what = {"code": error.code.value, "message": message, "hint": hint}
                print(json.dumps({"photo": str(item.path), "status": "error", "error": what}), flush=True)
            else:
                print(f"{item.path}: {error.sentence('cli')}", file=sys.stderr)
            continue
        camera = camera_of_photo(photo)
        if args.overlay is not None:
            write_png(args.overlay, with_lines(photo, camera))
        if args.json:
            print(json.dumps(as_json(str(item.path), camera)), flush=True)
        else:
            print("\n".join(as_text(str(item.path), camera)), flush=True)
    return 1 if failed else 0


def as_json(name: str, camera: PhotoCamera) -> dict[str, Any]:
    """The object of ``camera --json``."""
    focal, attitude = camera.focal, camera.attitude
    return {
        "photo": name,
        "focal": {
            "px": focal.px,
            "mm35": focal.mm35,
            "source": focal.source,
            "sd_percent": 100 * _sd(camera),
        },
        "attitude": None
        if attitude is None
        else {"pitch_deg": attitude.pitch_deg, "roll_deg": attitude.roll_deg, "sd_deg": attitude.sd_deg},
        "lines": dict(zip("xyz", (round(count, 2) for count in camera.lines.counts), strict=True)),
        "reasons": list(camera.reasons),
    }


def as_text(name: str, camera: PhotoCamera) -> list[str]:
    """A few lines for a person."""
    focal, attitude, counts = camera.focal, camera.attitude, camera.lines.counts
    lines = [
        name,
        f"  focal length  {focal.mm35:.1f} mm (35 mm equivalent), {focal.px:.0f} px, ± {196 * _sd(camera):.1f} %, "
        f"{SOURCES[focal.source]}",
    ]
    if attitude is None:
        lines.append("  attitude      not sure")
    else:
        lines.append(
            f"  attitude      pitch {attitude.pitch_deg:+.1f}°, roll {attitude.roll_deg:+.1f}°, ± {1.96 * attitude.sd_deg:.1f}°"
        )
    lines.append(f"  lines         {counts[0]:.0f} across, {counts[1]:.0f} upright, {counts[2]:.0f} ahead")
    lines += [f"  {reason}" for reason in camera.reasons]
    return lines


def _sd(camera: PhotoCamera) -> float:
    from ..core.cameras.intrinsics import focal_sd

    return focal_sd(camera.focal.source, camera.focal.mm35, camera.focal.relative_sd)
