"""``image-to-3d measure``: lengths, planes, the room and tilts, from a PLY file or a photo, with 95 % intervals."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import ErrorCode, ImageTo3DError, said
from .options import add_engine_options, choose_engine, engine_pool, photo_options
from .photos import depth_file_for

if TYPE_CHECKING:
    from ..core.cloud.gaussians import GaussianCloud
    from ..core.lengths.measuring import Length
    from ..measuring import Analysis, Pixel


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the subcommand."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "measure",
        help="lengths, planes, the room, tilts",
        description="Measure in a scene. Without --between, --planes, --room or --tilt: planes and room. Pixels are U,V from the "
        "photo's upper left corner. Every length has a 95 %% interval.",
    )
    parser.add_argument("scene", metavar="SCENE", help="PLY file made from a photo, or a photo")
    parser.add_argument(
        "--between", nargs=2, action="append", default=[], metavar=("U,V", "U,V"), help="the length between two pixels"
    )
    parser.add_argument("--planes", action="store_true", help="dominant planes: floor, ceiling, walls, others")
    parser.add_argument(
        "--room", action="store_true", help="room height, distances between facing walls, visible extents"
    )
    parser.add_argument(
        "--tilt",
        nargs="+",
        action="append",
        default=[],
        metavar="U,V",
        help="tilt, azimuth, area and flatness of the surface inside a polygon of at least three pixels",
    )
    parser.add_argument(
        "--known",
        nargs=3,
        action="append",
        default=[],
        metavar=("U,V", "U,V", "METRES"),
        help="a length you know: calibrates the scale; several are adjusted",
    )
    level = parser.add_argument_group("level and north")
    level.add_argument("--pitch", type=float, metavar="DEG", help="of the camera, up is positive, if known (gimbal)")
    level.add_argument("--roll", type=float, metavar="DEG", help="of the camera, clockwise is positive; with --pitch")
    level.add_argument(
        "--north",
        type=float,
        metavar="DEG",
        help="compass direction the camera looks at, clockwise from north: makes azimuths known. Without it, that of the photo's "
        "EXIF (GPSImgDirection), if it has one",
    )
    scale = parser.add_argument_group("scale")
    scale.add_argument(
        "--scale-sd",
        type=float,
        metavar="PERCENT",
        help="standard deviation of the scale of the engine or depth file, if you know better than the assumption",
    )
    add_engine_options(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    return parser


def run(args: argparse.Namespace) -> int:
    """Measure and print; 1 if something that was asked for cannot be told from this picture."""
    betweens = [(_pixel(a), _pixel(b)) for a, b in args.between]
    polygons = [[_pixel(token) for word in words for token in word.replace(";", " ").split()] for words in args.tilt]
    known = [(_pixel(a), _pixel(b), _metres(metres)) for a, b, metres in args.known]
    if (args.pitch is None) != (args.roll is None):
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "measuring.pitch_without_roll_option")
    for option in ("pitch", "roll", "north"):
        value = getattr(args, option)
        if value is not None and not -360 <= value <= 360:
            raise ImageTo3DError(ErrorCode.BAD_REQUEST, "measuring.option_not_an_angle", option=option, value=value)
    cloud, heading = load_cloud(args)
    if args.scale_sd is not None and not 0 < args.scale_sd < 1000:
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "measuring.scale_sd_option_not_positive")
    from ..measuring import Question, analyse

    everything = not (betweens or args.planes or args.room or polygons)
    question = Question(
        between=betweens,
        regions=polygons,
        known=known,
        surroundings=everything or args.planes or args.room or args.json,
        pitch_deg=args.pitch,
        roll_deg=args.roll,
        north_deg=heading if args.north is None else args.north,
        scale_sd=None if args.scale_sd is None else args.scale_sd / 100,
    )
    found = analyse(cloud, question)
    if not (everything or args.planes):
        found = replace(found, planes=())
    if everything or args.room or polygons:
        for sentence in found.warnings:
            print(sentence, file=sys.stderr)
    print(json.dumps(found.report().to_json()) if args.json else "\n".join(_table(found)))
    untold = (polygons and found.gravity is None) or (
        args.room and (found.gravity is None or found.gravity.floor is None)
    )
    return 1 if untold else 0


def load_cloud(args: argparse.Namespace) -> tuple[GaussianCloud, float | None]:
    """The cloud of a file of Gaussians, or of a photo by the engine that the options name, and the compass direction in the photo.

    Raises:
        ImageTo3DError: files that cannot be read, a photo without depth, a cloud without picture grid or camera.
    """
    from ..io.gaussian_files import is_scene, read_scene

    path = Path(args.scene)
    cloud, heading = (read_scene(path), None) if is_scene(path) else _cloud_of_photo(path, args)
    if cloud.grid is None or cloud.intrinsics is None:
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "measuring.file_without_grid", path_name=path.name)
    return cloud, heading


def _cloud_of_photo(path: Path, args: argparse.Namespace) -> tuple[GaussianCloud, float | None]:
    from ..pipeline import predict

    pool = engine_pool(args)
    prediction = predict(
        path,
        depth_file_for(path, args),
        pool=pool,
        engine=choose_engine(args, pool),
        options=photo_options(args),
    )
    for sentence in prediction.warnings:
        print(said(sentence, "cli"), file=sys.stderr)
    return prediction.cloud, prediction.photo.heading_deg


def _approximate(length: Length) -> str:
    low, high = length.interval
    return f"≈ {length.metres:.3f} m ± {(high - low) / 2:.3f}"


def _number(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _table(measured: Analysis) -> list[str]:
    from ..core.lengths.measuring import CONFIDENCE_95

    scale, gravity, room = measured.scale, measured.gravity, measured.room
    states = {
        "engine": "by the engine's own metres",
        "assumed": "assumed; calibrate with a known length (--known)",
        "calibrated": f"calibrated, factor {scale.factor:.4f}",
    }
    lines = [f"Scale: {states[scale.state]}, ± {100 * CONFIDENCE_95 * scale.relative_sd:.1f} % (95 %)"]
    lines += [f"  known length {i}: residual {1000 * r:+.1f} mm" for i, r in enumerate(scale.residuals_m, 1)]
    if gravity is not None:
        height = "" if measured.camera_height_m is None else f", {measured.camera_height_m:.2f} m above the floor"
        lines.append(f"Camera: pitch {gravity.pitch_deg:+.1f}°, roll {gravity.roll_deg:+.1f}°{height}")
    for a, b, length in measured.lengths:
        lines.append(f"{a[0]:g},{a[1]:g} – {b[0]:g},{b[1]:g}: {_approximate(length)}")
    rows = [
        ("region", r.plane.offset_m * scale.factor, r.area_m2, r.rms_m, r.tilt_deg, r.azimuth_deg)
        for r in measured.regions
    ]
    for p in measured.planes:
        tilt, facing = measured.tilt_and_azimuth(p)
        rows.append(
            (p.kind, p.offset_m * scale.factor, p.area_m2 * scale.factor**2, p.rms_m * scale.factor, tilt, facing)
        )
    if rows:
        lines += ["", f"{'plane':8} {'distance m':>10} {'area m²':>8} {'RMS mm':>7} {'tilt °':>7} {'azimuth °':>9}"]
        for kind, offset, area, rms, tilt, facing in rows:
            cells = (
                f"{-offset:10.3f}",
                f"{area:8.2f}",
                f"{1000 * rms:7.1f}",
                f"{_number(tilt):>7}",
                f"{_number(facing):>9}",
            )
            lines.append(" ".join((f"{kind:8}", *cells)))
    for i, region in enumerate(measured.regions, 1):
        if region.tilt_interval_deg is not None:
            low, high = region.tilt_interval_deg
            lines.append(f"region {i}: tilt {region.tilt_deg:.2f}°, 95 % interval {low:.2f}° to {high:.2f}°")
    if room is not None and not measured.regions and not measured.lengths:
        lines.append("")
        lines.append(
            f"Room height: {_approximate(room.height)}" if room.height else "Room height: floor or ceiling not in view"
        )
        for wall in room.distances:
            lines.append(
                f"Between facing walls: {_approximate(wall.distance)} ({wall.parallel_deg:.1f}° from parallel)"
            )
        for extent in room.extents:
            lines.append(f"Wall: at least {extent.width.metres:.2f} m wide and {extent.height.metres:.2f} m high")
    return lines


def _pixel(text: str) -> Pixel:
    try:
        u, v = (float(part) for part in text.split(","))
    except ValueError:
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "measuring.not_a_pixel", text=text) from None
    return u, v


def _metres(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 < value < 1e5:
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "measuring.not_a_length", text=text)
    return value
