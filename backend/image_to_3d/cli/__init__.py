"""The command ``image-to-3d``: one module per subcommand, each with ``add_parser(subparsers)`` and ``run(args) -> int``.

Only the module of the subcommand that runs is imported beyond its argument parser; heavy imports happen inside ``run``.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import signal
import sys
from collections.abc import Sequence

from .. import __version__
from ..core.errors import Cancelled, ErrorCode, ImageTo3DError

COMMANDS: tuple[str, ...] = (
    "predict",
    "depth",
    "camera",
    "measure",
    "render",
    "web",
    "convert",
    "weights",
    "serve",
    "status",
    "stop",
    "authorise",
    "doctor",
)
"""Modules of this package, in the order of ``--help``."""

EXIT_OK, EXIT_SOME_FAILED, EXIT_USAGE, EXIT_UNAVAILABLE, EXIT_INTERRUPTED = 0, 1, 2, 3, 130

_EXIT_OF_CODE = {
    ErrorCode.BAD_REQUEST: EXIT_USAGE,
    ErrorCode.CANCELLED: EXIT_INTERRUPTED,
    ErrorCode.IMAGE_UNREADABLE: EXIT_SOME_FAILED,
    ErrorCode.IMAGE_TOO_LARGE: EXIT_SOME_FAILED,
}


def exit_code(error: ImageTo3DError) -> int:
    """0 all done, 1 some inputs failed, 2 wrong usage, 3 the backend or an engine is unavailable, 130 interrupted."""
    return _EXIT_OF_CODE.get(error.code, EXIT_UNAVAILABLE)


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = argparse.ArgumentParser(
        prog="image-to-3d", description="One photograph to a metric 3D scene of Gaussians.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"image-to-3d {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        module = importlib.import_module(f".{name}", __name__)
        subparser = module.add_parser(subparsers)
        subparser.add_argument("-v", "--verbose", action="count", default=0, help="say more; twice: debugging output")
        subparser.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; errors become one sentence on stderr and an exit code, never a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a file name outside the terminal's encoding is no crash
    args = build_parser().parse_args(argv)
    level = [logging.WARNING, logging.INFO, logging.DEBUG][min(args.verbose, 2)]
    to_terminal = logging.StreamHandler()
    to_terminal.setLevel(level)
    logging.basicConfig(format="%(levelname)s: %(message)s", handlers=[to_terminal])
    logging.getLogger("image_to_3d").setLevel(level)
    try:
        return int(args.run(args))
    except (KeyboardInterrupt, Cancelled):
        print("Interrupted.", file=sys.stderr)
        return EXIT_INTERRUPTED
    except ImageTo3DError as error:
        print(f"image-to-3d: {error.sentence('cli')}", file=sys.stderr)
        return exit_code(error)
    except BrokenPipeError:  # `image-to-3d … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + int(getattr(signal, "SIGPIPE", 13))
