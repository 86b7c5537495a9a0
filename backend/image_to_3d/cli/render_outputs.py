"""Pictures and films of a cloud: the part of the command line that ``render`` and ``predict --render`` share."""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core import Camera, CameraPath, GaussianCloud, Intrinsics
from ..core.cameras.camera import MAX_PICTURE_SIDE
from ..core.cameras.trajectories import TRAJECTORIES, TrajectoryOptions, screen_size, trajectory
from ..core.errors import ErrorCode, ImageTo3DError
from ..core.imaging.colour import linear_to_srgb8, srgb_to_linear
from ..io.camera_paths import read_camera_path, write_camera_path

if TYPE_CHECKING:
    from ..render import Frame, Renderer

log = logging.getLogger(__name__)

STILL = "still"
DEFAULT_FPS = 30.0

KINDS = {
    "mp4": "film in H.264",
    "depth-mp4": "film of the depth as colours",
    "png": "pictures, with alpha if the background is transparent",
    "depth-colour": "pictures of the depth as colours",
    "depth-png": "16-bit PNG, depth in millimetres",
    "depth-exr": "EXR, depth in metres",
}
"""What can be written, and what it is."""

_FILMS = {"mp4", "depth-mp4"}
_UNKNOWN_SCENE_CAMERA = Intrinsics.centred(
    512.0, 640, 480
)  # what the published SHARP assumes of a file without a camera


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that say from where, how and into which files a cloud is rendered."""
    group = parser.add_argument_group("rendering")
    group.add_argument(
        "--trajectory",
        default=TRAJECTORIES[0],
        metavar="NAME|FILE.json",
        help=f"camera move: {', '.join(TRAJECTORIES)}; {STILL}: one picture from the photo's own camera; "
        "or a camera path that Blender exported (default: %(default)s)",
    )
    group.add_argument("--frames", type=_count, metavar="N", help="frames of a named trajectory (default: 60)")
    group.add_argument("--fps", type=_fps, metavar="F", help="frames per second (default: the path's, else 30)")
    group.add_argument(
        *("--size", "--render-res", "--render_res"),
        dest="size",
        type=_size,
        metavar="WxH",
        help="size of the pictures; one number is the long side (default: the photo's size)",
    )
    group.add_argument(
        "--eps2d",
        type=_eps2d,
        default=0.0,
        metavar="PX2",
        help="low-pass in pixels²: 0 as SHARP renders, 0.3 as gsplat does by default (default: 0)",
    )
    group.add_argument(
        "--background",
        type=_background,
        default=None,
        metavar="r,g,b|transparent",
        help="sRGB colour behind the scene, three numbers from 0 to 1 (default: transparent; black in films)",
    )
    group.add_argument(
        "--renderer",
        choices=("auto", "gsplat", "cpu"),
        default="auto",
        help="default: gsplat on an NVIDIA GPU, else cpu",
    )
    group.add_argument(
        "--write",
        type=_kinds,
        metavar="KIND,…",
        help="what to write: " + "; ".join(f"{kind} ({what})" for kind, what in KINDS.items()) + " "
        "(default: mp4,depth-mp4; for a single picture png,depth-colour)",
    )


def _count(text: str) -> int:
    value = int(text) if text.isdecimal() else 0
    if not 1 <= value <= 100_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of frames between 1 and 100000")
    return value


def _number(text: str, what: str, low: float, high: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"{text!r} is not {what} between {low:g} and {high:g}")
    return value


def _fps(text: str) -> float:
    return _number(text, "a frame rate", 0.1, 1000.0)


def _eps2d(text: str) -> float:
    return _number(text, "a low-pass", 0.0, 1000.0)


def _size(text: str) -> tuple[int, ...]:
    parts = text.lower().replace("×", "x").replace(",", "x").split("x")
    values = tuple(int(part) if part.strip().isdecimal() else 0 for part in parts)
    if len(values) > 2 or not all(1 <= value <= MAX_PICTURE_SIDE for value in values):
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 1280x720 or 1280, at most {MAX_PICTURE_SIDE}")
    return values


def _background(text: str) -> tuple[float, float, float] | None:
    """Linear RGB of an sRGB triple; None for ``transparent``."""
    if text.strip().lower() == "transparent":
        return None
    parts = text.split(",")
    if len(parts) != 3:
        raise argparse.ArgumentTypeError(f"{text!r} is neither 'transparent' nor three numbers such as 1,1,1")
    red, green, blue = srgb_to_linear(np.array([_number(part, "a colour value", 0.0, 1.0) for part in parts]))
    return float(red), float(green), float(blue)


def _kinds(text: str) -> tuple[str, ...]:
    kinds = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} cannot be written; there are {', '.join(KINDS)}")
    return kinds


@dataclass
class Rendered:
    """What :func:`render_cloud` did.

    Attributes:
        outputs: kind → file, or folder of one file per frame; ``camera_path`` → the camera path beside them.
        frames: how many.
        size: (width, height) of the first frame.
        seconds: wall time of ``render`` (the renderer alone) and ``total``.
        warnings: sentences for a person.
    """

    outputs: dict[str, str] = field(default_factory=dict)
    frames: int = 0
    size: tuple[int, int] = (0, 0)
    seconds: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def render_cloud(
    cloud: GaussianCloud,
    out_dir: Path,
    stem: str,
    args: argparse.Namespace,
    renderer: Renderer,
    path_name: str = "camera_traj.json",
    progress: Callable[[str, float], None] | None = None,
) -> Rendered:
    """Render a cloud as the options of :func:`add_arguments` say.

    Args:
        cloud: Gaussians in the frame of their photo.
        out_dir: folder of all files; made if missing.
        stem: their name: ``STEM.mp4``, ``STEM.depth.mp4``; pictures are ``STEM.png``, ``STEM.depth.png``, … for a single frame,
            else ``STEM.frames/0000.png``, ….
        args: parsed options.
        renderer: made once, used for all clouds.
        path_name: of the camera path written beside them.
        progress: ``progress("render", fraction)`` after each frame.

    Raises:
        ImageTo3DError: the camera path is unusable, nothing lies in front of the camera, or a file cannot be written.
    """
    from ..render import Instance, RenderSettings

    started = time.perf_counter()
    report = Rendered()
    path = camera_path(cloud, args, report.warnings)
    kinds = _wanted_kinds(args, path, report.warnings)
    depth = any(kind.startswith("depth") for kind in kinds)
    settings = RenderSettings(args.background, args.eps2d, ("colour", "depth") if depth else ("colour",))
    instances = [Instance(cloud)]
    report.frames, report.size = len(path.cameras), path.cameras[0].size
    seconds = 0.0
    with _Sinks(kinds, out_dir, stem, path, args.background is None) as sinks:
        for number, camera in enumerate(path.cameras):
            clock = time.perf_counter()
            frame = renderer.render(instances, camera, settings)
            seconds += time.perf_counter() - clock
            sinks.write(number, frame)
            if progress is not None:
                progress("render", (number + 1) / len(path.cameras))
    report.outputs = dict(sinks.outputs)
    write_camera_path(out_dir / path_name, path)
    report.outputs["camera_path"] = str(out_dir / path_name)
    report.seconds = {"render": seconds, "total": time.perf_counter() - started}
    return report


def camera_path(cloud: GaussianCloud, args: argparse.Namespace, warnings: list[str]) -> CameraPath:
    """The cameras that the options ask for; sentences on what had to be assumed go to ``warnings``.

    Raises:
        ImageTo3DError: ``bad_request``: no such trajectory, an unusable file, or nothing in front of the camera.
    """
    name = args.trajectory
    if name not in TRAJECTORIES and name != STILL:
        path = read_camera_path(Path(name), (*TRAJECTORIES, STILL))
        if args.frames is not None:
            raise ImageTo3DError(ErrorCode.BAD_REQUEST, "rendering.frames_with_camera_path")
        path = replace(path, fps=args.fps or path.fps)
        return path.with_size(*_full_size(args.size, *path.cameras[0].size)) if args.size else path
    intrinsics = cloud.intrinsics
    if intrinsics is None:
        intrinsics = _UNKNOWN_SCENE_CAMERA
        warnings.append("The scene says nothing of its camera; a focal length of 512 pixels for 640×480 is assumed.")
    fps = args.fps or DEFAULT_FPS
    size = _full_size(args.size, intrinsics.width, intrinsics.height)
    if name == STILL:
        size = size if args.size else (intrinsics.width, intrinsics.height)
        return CameraPath(fps, (Camera.at_origin(intrinsics),)).with_size(*size)
    try:
        path = trajectory(name, cloud.positions, intrinsics, TrajectoryOptions(frames=args.frames or 60), fps)
    except ValueError as error:
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "rendering.move_impossible", name=name, why=error) from None
    return path.with_size(*size) if args.size else path


def _full_size(size: tuple[int, ...] | None, width: int, height: int) -> tuple[int, int]:
    """The picture size asked for; one number is the long side, and the other follows from the picture's shape, even."""
    if size is None:
        return screen_size(width, height)
    if len(size) == 2:
        return size[0], size[1]
    scale = size[0] / max(width, height)
    short = max(2, 2 * round(min(width, height) * scale / 2))
    return (size[0], short) if width >= height else (short, size[0])


def _wanted_kinds(args: argparse.Namespace, path: CameraPath, warnings: list[str]) -> tuple[str, ...]:
    from ..io.video import ffmpeg

    one_size = len({camera.size for camera in path.cameras}) == 1
    if args.write is not None:
        if _FILMS & set(args.write):
            ffmpeg()
            if not one_size:
                raise ImageTo3DError(ErrorCode.BAD_REQUEST, "rendering.frames_differ_in_size")
        return tuple(args.write)
    if len(path.cameras) == 1:
        return "png", "depth-colour"
    try:
        ffmpeg()
    except ImageTo3DError as error:
        warnings.append(f"{error.sentence('cli')} Writing PNG pictures instead.")
        return "png", "depth-colour"
    return ("mp4", "depth-mp4") if one_size else ("png", "depth-colour")


class _Sinks:
    """The files of one scene, open while its frames come in; ``outputs`` tells kind → file or folder."""

    _SUFFIXES = {
        "png": ".png",
        "depth-colour": ".depth-colour.png",
        "depth-png": ".depth.png",
        "depth-exr": ".depth.exr",
    }

    def __init__(self, kinds: tuple[str, ...], folder: Path, stem: str, path: CameraPath, transparent: bool) -> None:
        self._kinds, self._folder, self._stem, self._path = kinds, folder, stem, path
        self._transparent = transparent
        self._stack = ExitStack()
        self._films: dict[str, Any] = {}
        self._farthest: float | None = None
        self.outputs: dict[str, str] = {}

    def __enter__(self) -> _Sinks:
        from ..io.video import VideoWriter

        with ExitStack() as stack:
            for kind, suffix in (("mp4", ".mp4"), ("depth-mp4", ".depth.mp4")):
                if kind in self._kinds:
                    file = self._folder / f"{self._stem}{suffix}"
                    writer = VideoWriter(file, *self._path.cameras[0].size, self._path.fps)
                    self._films[kind] = stack.enter_context(writer)
                    self.outputs[kind] = str(file)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)
        if error[0] is None and len(self._path.cameras) > 1:
            self._remove_older()

    def _remove_older(self) -> None:
        """Pictures that an earlier, longer run left behind the last one would become part of this film."""
        for kind in self._SUFFIXES.keys() & set(self._kinds):
            number = len(self._path.cameras)
            while (file := self._picture(kind, number)).is_file():
                file.unlink()
                number += 1

    def _picture(self, kind: str, number: int) -> Path:
        if len(self._path.cameras) == 1:
            file = self._folder / f"{self._stem}{self._SUFFIXES[kind]}"
            self.outputs[kind] = str(file)
            return file
        folder = self._folder / f"{self._stem}.frames"
        self.outputs[kind] = str(folder)
        return folder / f"{number:04d}{self._SUFFIXES[kind]}"

    def write(self, number: int, frame: Frame) -> None:
        """One frame into all files."""
        from ..core.depth.colourmaps import depth_colours, film_farthest
        from ..io.depth import write_depth_exr, write_depth_png
        from ..io.images import srgb8_with_alpha, write_png

        if "mp4" in self._kinds or ("png" in self._kinds and not self._transparent):
            opaque = linear_to_srgb8(frame.colour)
            if "mp4" in self._kinds:
                self._films["mp4"].write(opaque)
        if "png" in self._kinds:
            pixels = srgb8_with_alpha(frame.colour, frame.alpha) if self._transparent else opaque
            write_png(self._picture("png", number), pixels)
        if frame.depth is None:
            return
        depth = frame.expected_depth()
        if "depth-mp4" in self._kinds or "depth-colour" in self._kinds:
            if self._farthest is None:
                self._farthest = film_farthest(depth)
            coloured = depth_colours(depth, 0.0, self._farthest)
            if "depth-mp4" in self._kinds:
                self._films["depth-mp4"].write(coloured)
            if "depth-colour" in self._kinds:
                write_png(self._picture("depth-colour", number), coloured)
        if "depth-png" in self._kinds:
            write_depth_png(self._picture("depth-png", number), depth)
        if "depth-exr" in self._kinds:
            write_depth_exr(self._picture("depth-exr", number), depth)
