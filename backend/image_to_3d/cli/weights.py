"""``image-to-3d weights``: the networks' weights — list, fetch, verify, path, remove."""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from typing import Any

from ..catalogue import owner_of_checkpoint
from ..core.errors import ErrorCode, ImageTo3DError
from ..engines import weights
from .progress import ProgressLine, RawProgress


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the subcommand."""
    parser: argparse.ArgumentParser = subparsers.add_parser("weights", help="fetch and check the networks' weights")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="what there is, what is here, under which terms")
    listing.add_argument("--json", action="store_true", help="one JSON object per line")
    fetching = actions.add_parser("fetch", help="download, after consent where the licence asks for it")
    fetching.add_argument(
        "--accept-licence", "--accept-license", action="store_true", help="consent without being asked"
    )
    fetching.add_argument(
        "--raw-progress", action="store_true", help="lines 'Progress DONE of TOTAL' in bytes, for programs that show it"
    )
    others = [
        actions.add_parser("verify", help="compare with the recorded hash and the network's structure"),
        actions.add_parser("path", help="where the file lies"),
        actions.add_parser("remove", help="delete the fetched file"),
    ]
    for action in (fetching, *others):
        action.add_argument("name", choices=list(weights.WEIGHTS), metavar="NAME", help=", ".join(weights.WEIGHTS))
    for action in (listing, *others[:2]):
        action.add_argument(
            "-c", "--checkpoint", metavar="FILE", help="a file of your own in place of the usual one of sharp"
        )
    return parser


def run(args: argparse.Namespace) -> int:
    """Do what was asked for."""
    actions = {"list": _list, "fetch": _fetch, "verify": _verify, "path": _path, "remove": _remove}
    return actions[args.action](args)


def describe(name: str, given: str | None = None) -> dict[str, Any]:
    """A row of ``weights list --json``."""
    file = weights.lookup(name)
    state, note = weights.state(name, given)
    found = weights.find(name, given) if state != "weights_missing" else None
    known = weights.recorded(file)
    accepted = weights.consent_record(file)
    return {
        "name": name,
        "state": state,
        "note": note,
        "licence": file.licence.name,
        "licence_url": file.licence.url,
        "needs_consent": file.licence.needs_consent,
        "accepted": accepted["date"] if accepted else None,
        "path": str(found.path) if found else None,
        "origin": found.origin if found else None,
        "bytes": found.path.stat().st_size if found else file.size,
        "sha256": known.sha256 if found and known and known.path == str(found.path) else None,
        "url": file.url,
    }


def _list(args: argparse.Namespace) -> int:
    for name in weights.WEIGHTS:
        row = describe(name, args.checkpoint if name == owner_of_checkpoint("auto") else None)
        if args.json:
            print(json.dumps(row))
            continue
        print(f"{name:12} {row['bytes'] / 1e9:5.2f} GB  {row['state'].replace('_', ' '):20}  {row['licence']}")
        for line in (row["path"], row["note"]):
            if line:
                print(f"{'':12} {line}")
    return 0


def _fetch(args: argparse.Namespace) -> int:
    file = weights.lookup(args.name)
    if weights.needs_consent(file):
        _ask_for_consent(file, args.accept_licence)
    elif file.licence.needs_consent:
        print(
            f"Licence accepted on {(weights.consent_record(file) or {}).get('date')}: {file.licence.name}",
            file=sys.stderr,
        )
    found = weights.find(args.name)
    if found is not None:
        path, digest = weights.verify(args.name)
        print(f"{path} is here already.\nSHA-256 {digest}")
        return 0
    with ProgressLine(file.file_name, quiet=args.raw_progress) as line:
        raw = RawProgress()

        def on_bytes(done: int, total: int) -> None:
            line(_amount(done, total), done / total if total else 0.0)
            if args.raw_progress:
                raw(done, total or file.size)

        path = weights.fetch(args.name, on_bytes)
    known = weights.recorded(file)
    print(f"{path}\nSHA-256 {known.sha256 if known else '?'}")
    return 0


def _ask_for_consent(file: weights.WeightsFile, accepted: bool) -> None:
    """Show the terms; consent is the option or the word yes, typed.

    Raises:
        ImageTo3DError: ``licence_not_accepted``.
    """
    terms = textwrap.fill(file.licence.terms, 100)
    print(f"{file.licence.name}\n\n{terms}\n\nThe text that binds: {file.licence.url}\n", file=sys.stderr)
    if not accepted and sys.stdin.isatty():
        print("Type yes if you accept these terms: ", end="", file=sys.stderr, flush=True)
        accepted = sys.stdin.readline().strip().lower() == "yes"
    if not accepted:
        raise ImageTo3DError(ErrorCode.LICENCE_NOT_ACCEPTED, "weights.licence_not_accepted_now")
    weights.record_consent(file)


def _amount(done: int, total: int) -> str:
    return f"{done / 1e6:.0f} of {total / 1e6:.0f} MB" if total else f"{done / 1e6:.0f} MB"


def _verify(args: argparse.Namespace) -> int:
    path, digest = weights.verify(args.name, args.checkpoint)
    print(f"{path} is the network {args.name}.\nSHA-256 {digest}")
    return 0


def _path(args: argparse.Namespace) -> int:
    found = weights.find(args.name, args.checkpoint)
    if found is None:
        raise ImageTo3DError(ErrorCode.WEIGHTS_MISSING, "weights.missing", args_name=args.name)
    print(found.path)
    return 0


def _remove(args: argparse.Namespace) -> int:
    deleted = weights.remove(args.name)
    for path in deleted:
        print(f"Deleted {path}")
    left = weights.find(args.name)
    if left is not None:
        print(f"{left.path} was not put there by this program and stays.", file=sys.stderr)
    elif not deleted:
        print(f"The weights of {args.name} are not here.", file=sys.stderr)
    return 0
