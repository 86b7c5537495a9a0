"""``image-to-3d status``: what the backend of this account is doing."""

from __future__ import annotations

import argparse
import json
from typing import Any


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the subcommand."""
    parser: argparse.ArgumentParser = subparsers.add_parser("status", help="what the running backend is doing")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    return parser


def run(args: argparse.Namespace) -> int:
    """Print the report. Raises ConnectionLost if no backend runs."""
    from ..protocol.client import Client
    from ..protocol.messages import State, Status

    with Client() as client:
        reply = client.call(Status(), timeout=10)
        assert isinstance(reply, State)
    if args.json:
        print(json.dumps(reply.report))
        return 0
    for key, value in reply.report.items():
        shown = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else value
        print(f"{key.replace('_', ' '):14} {shown}")
    return 0
