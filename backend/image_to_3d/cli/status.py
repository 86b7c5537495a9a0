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
        print(f"{key.replace('_', ' '):14} {_in_words(value)}")
    return 0


def _in_words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_in_words(inner)}" for name, inner in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)
