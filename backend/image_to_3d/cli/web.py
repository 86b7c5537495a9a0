"""``image-to-3d web``: a page in the browser."""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
import webbrowser
from pathlib import Path
from typing import Any

from ..core.errors import ErrorCode, ImageTo3DError


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the subcommand."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "web",
        help="a page in the browser: drop a photo, turn the result",
        description="Serve a page on this computer: drop a photo, see its heat map, turn the scene, download the PLY. "
        "Needs the extra web: pip install 'image-to-3d[web]'.",
        allow_abbrev=False,
    )
    parser.add_argument("--host", default="127.0.0.1", help="default: 127.0.0.1, this computer only")
    parser.add_argument("--port", type=_port, default=7860, help="default: 7860; 0 takes a free one")
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    parser.add_argument("--engine", default="auto", metavar="NAME", help="chosen at first (default: auto)")
    parser.add_argument("-c", "--checkpoint", metavar="FILE", help="weights of the engine, if not in the usual place")
    parser.add_argument("--device", choices=["auto", "cuda", "mps", "cpu"], default="auto")
    parser.add_argument("--precision", choices=["auto", "fp32", "bf16", "fp16"], default="auto")
    return parser


def _port(text: str) -> int:
    if not (text.isdecimal() and int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (0 to 65535)")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted."""
    from ..engines.base import EngineOptions
    from ..engines.pool import EnginePool

    options = EngineOptions(args.device, args.precision, args.checkpoint, checkpoint_of=args.engine)
    EnginePool(options).resolve(args.engine)
    if importlib.util.find_spec("gradio") is None:
        raise ImageTo3DError(ErrorCode.ENGINE_FAILED, "commands.gradio_missing")
    from ..web import app

    def on_address(address: str) -> None:
        print(f"Image to 3D is at {address} (Ctrl+C stops it)", file=sys.stderr, flush=True)
        if args.host not in app.LOOPBACK:
            print(
                "Everyone who reaches this address can use the page: it has no password and no encryption.",
                file=sys.stderr,
                flush=True,
            )
        if args.open:
            webbrowser.open(address)

    with tempfile.TemporaryDirectory(prefix="image-to-3d-web-") as folder:
        app.serve(Path(folder), args.host, args.port, options, args.engine, on_address)
    return 0
