"""Many photos, one after the other: one that fails ends itself and not the others, unless no other one could succeed either."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Callable, Sequence
from typing import Any

from ..core.errors import Cancelled, ErrorCode, ImageTo3DError
from .photos import Input
from .progress import ProgressLine

log = logging.getLogger(__name__)

_OF_ONE_PHOTO = (
    ErrorCode.IMAGE_UNREADABLE,
    ErrorCode.IMAGE_TOO_LARGE,
    ErrorCode.BAD_REQUEST,
    ErrorCode.OUT_OF_MEMORY,
    ErrorCode.ENGINE_FAILED,
)
"""Errors after which the other photos are still worth trying."""

Report = dict[str, Any]


def work_through(
    inputs: Sequence[Input],
    args: argparse.Namespace,
    engine: str,
    work: Callable[[Input, ProgressLine], Report],
    tell: Callable[[Report], None],
) -> int:
    """Do a thing with every photo and tell what came of it, one JSON object or one line for each.

    Args:
        inputs: the photos.
        args: of the command line: ``json`` and ``verbose``.
        engine: name, for reports of photos that failed.
        work: makes the files of a photo; gives what ``--json`` says of it.
        tell: says a report of success in words.

    Returns:
        Exit code: 0 if all were done, 1 if some failed.

    Raises:
        ImageTo3DError: what would stop every photo, missing weights for example; it is not said here but in JSON.
        Cancelled: the person gave up.
    """
    from ..pipeline import failure

    failed = 0
    for position, item in enumerate(inputs, 1):
        name = item.path.name if len(inputs) == 1 else f"[{position}/{len(inputs)}] {item.path.name}"
        try:
            with ProgressLine(name, quiet=args.json or args.verbose > 0) as progress:
                report = work(item, progress)
        except Cancelled:
            raise
        except Exception as caught:
            log.debug("%s", item.path, exc_info=True)
            error = failure(caught, "Use -vv for details.")
            failed += 1
            report = _failure(item, engine, error)
            if error.code not in _OF_ONE_PHOTO:
                if args.json:
                    print(json.dumps(report), flush=True)
                raise error from caught
        if args.json:
            print(json.dumps(report), flush=True)
        elif report["status"] == "error":
            print(f"{item.path}: {report['error']['message']} {report['error']['hint']}".rstrip(), file=sys.stderr)
        else:
            for warning in report["warnings"]:
                print(f"{item.path}: {warning}", file=sys.stderr)
            tell(report)
    return 1 if failed else 0


def _failure(item: Input, engine: str, error: ImageTo3DError) -> Report:
    message, hint = error.words("cli")
    return {
        "photo": str(item.path),
        "status": "error",
        "engine": engine,
        "outputs": {},
        "warnings": [],
        "error": {"code": error.code.value, "message": message, "hint": hint, "key": error.key, "values": error.values},
    }
