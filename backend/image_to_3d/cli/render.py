"""``image-to-3d render SCENE… -o DIR``: pictures and films of scenes of Gaussians."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..core.cameras.trajectories import TRAJECTORIES
from ..core.errors import Cancelled, ImageTo3DError
from . import EXIT_OK, EXIT_SOME_FAILED, render_outputs

log = logging.getLogger(__name__)


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> argparse.ArgumentParser:
    """Describe the subcommand."""
    parser = subparsers.add_parser(
        "render",
        help="render scenes of Gaussians to pictures and films",
        description="Render scenes of 3D Gaussians (PLY files of this program, SHARP or others, .splat, .spz) along a camera move.",
        allow_abbrev=False,
    )
    parser.add_argument("scenes", nargs="+", type=Path, metavar="SCENE", help="files to render, each on its own")
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="DIR", help="folder for the results")
    render_outputs.add_arguments(parser)
    return parser


def run(args: argparse.Namespace) -> int:
    """Render every scene; one that fails does not stop the others."""
    from ..io.camera_paths import read_camera_path
    from ..io.gaussian_files import read_scene
    from ..render import choose_renderer

    if args.trajectory.lower().endswith(".json"):
        # A mistake in it is one mistake, not one for each scene.
        read_camera_path(Path(args.trajectory), (*TRAJECTORIES, render_outputs.STILL))
    renderer, sentence = choose_renderer(args.renderer, _say)
    _say(sentence)
    failed: list[ImageTo3DError] = []
    for scene, stem in zip(args.scenes, _stems(args.scenes), strict=True):
        path_name = "camera_traj.json" if len(args.scenes) == 1 else f"{stem}.camera_traj.json"
        try:
            progress = _show_progress(scene.name) if sys.stderr.isatty() else None
            report = render_outputs.render_cloud(
                read_scene(scene), args.output, stem, args, renderer, path_name, progress
            )
        except Cancelled:
            raise
        except ImageTo3DError as error:
            if len(args.scenes) == 1:
                raise
            _say(f"{scene}: {error.sentence('cli')}")
            failed.append(error)
            continue
        for warning in report.warnings:
            _say(f"{scene.name}: {warning}")
        print(_summary(scene, report))
    return EXIT_SOME_FAILED if failed else EXIT_OK


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def _show_progress(name: str) -> Callable[[str, float], None]:
    """A line on the terminal that counts up and is gone at the end."""

    def show(stage: str, fraction: float) -> None:
        line = f"{name}: {stage} {fraction:4.0%}"
        print("\r" + (line if fraction < 1 else " " * len(line) + "\r"), end="", file=sys.stderr, flush=True)

    return show


def _stems(scenes: list[Path]) -> list[str]:
    """File names without suffix; those that occur again get a number, so that no result overwrites another."""
    taken: set[str] = set()
    stems = []
    for scene in scenes:
        stem, number = scene.stem, 2
        while stem in taken:
            stem, number = f"{scene.stem}-{number}", number + 1
        taken.add(stem)
        stems.append(stem)
    return stems


def _summary(scene: Path, report: render_outputs.Rendered) -> str:
    width, height = report.size
    frames = "one picture" if report.frames == 1 else f"{report.frames} frames"
    rate = report.frames / max(report.seconds["total"], 1e-9)
    files = ", ".join(dict.fromkeys(file for kind, file in report.outputs.items() if kind != "camera_path"))
    return f"{scene.name}: {frames} of {width}×{height} in {report.seconds['total']:.1f} s ({rate:.1f} per second) → {files}"
