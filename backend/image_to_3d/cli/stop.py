"""``image-to-3d stop``: stop the backend of this account."""

from __future__ import annotations

import argparse
import time
from typing import Any


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the subcommand."""
    parser: argparse.ArgumentParser = subparsers.add_parser("stop", help="stop the running backend")
    return parser


def run(args: argparse.Namespace) -> int:
    """Ask it to stop and wait until its process is gone."""
    from ..protocol.client import Client, ConnectionLost
    from ..protocol.endpoint import process_exists, published
    from ..protocol.messages import Shutdown

    if published() is None:
        print("The backend is not running.")
        return 0
    with Client() as client:
        pid = client.endpoint.pid
        client.call(Shutdown(), timeout=10)
    deadline = time.monotonic() + 15
    while process_exists(pid):
        if time.monotonic() > deadline:
            raise ConnectionLost("backend.still_running_after_stop", pid=pid)
        time.sleep(0.05)
    print("The backend has stopped.")
    return 0
