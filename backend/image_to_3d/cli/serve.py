"""``image-to-3d serve``: run the backend in the foreground."""

from __future__ import annotations

import argparse
import logging
import logging.handlers
import signal
import sys
from typing import Any

from ..core.errors import ErrorCode, ImageTo3DError


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the subcommand."""
    parser: argparse.ArgumentParser = subparsers.add_parser("serve", help="run the backend that Blender talks to")
    parser.add_argument("--bind", default="tcp://127.0.0.1:*", metavar="ADDRESS", help="default: a free loopback port")
    parser.add_argument(
        "--idle-exit", type=float, metavar="MINUTES", help="stop when nobody asked for anything for so long"
    )
    parser.add_argument(
        "--idle-unload",
        type=float,
        default=10.0,
        metavar="MINUTES",
        help="give the memory of the engine back after so long without a photo (default: 10; 0: never)",
    )
    parser.add_argument(
        "--engine",
        default="auto",
        metavar="NAME",
        help="for bare photos of clients that leave the choice to the backend",
    )
    parser.add_argument("--device", choices=["auto", "cuda", "mps", "cpu"], default="auto")
    parser.add_argument("-c", "--checkpoint", metavar="FILE", help="weights of SHARP, if not in the usual place")
    return parser


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted, told to stop, or idle for long enough."""
    from ..engines.base import EngineOptions
    from ..engines.registry import resolve
    from ..server.frontend import Frontend, FrontendOptions
    from ..server.single_instance import InstanceLock

    if args.idle_exit is not None and not args.idle_exit > 0:
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "backend.idle_exit_not_positive")
    if not args.idle_unload >= 0:
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "backend.idle_unload_not_a_number")
    if args.engine != "auto":
        resolve(args.engine)
    lock = InstanceLock(args.bind)
    _log_to_file()
    frontend = Frontend(
        FrontendOptions(
            args.bind,
            args.idle_exit,
            args.idle_unload or None,
            EngineOptions(args.device, checkpoint=args.checkpoint, preferred=args.engine),
        )
    )
    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: frontend.stop())
    print(f"Serving at {frontend.endpoint.control}", file=sys.stderr, flush=True)
    if not frontend.is_loopback:
        print(f"Server key, which clients elsewhere need: {frontend.endpoint.server_key}", file=sys.stderr, flush=True)
    try:
        frontend.run()
    finally:
        lock.release()
    return 0


def _log_to_file() -> None:
    from ..paths import log_folder, make_private

    path = make_private(log_folder()) / "backend.log"
    handler = logging.handlers.RotatingFileHandler(
        path, maxBytes=1_000_000, backupCount=3, encoding="utf-8", delay=True
    )
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    package = logging.getLogger("image_to_3d")
    package.addHandler(handler)
    package.setLevel(min(package.level or logging.INFO, logging.INFO))
