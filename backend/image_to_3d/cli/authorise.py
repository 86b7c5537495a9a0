"""``image-to-3d authorise``: which other machines' clients may use the backend of this account."""

from __future__ import annotations

import argparse
import json
from typing import Any

from ..core.errors import ErrorCode, ImageTo3DError


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the subcommand."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "authorise",
        help="let a client on another machine use this backend",
        description="authorise KEY lets a client in, authorise list shows all keys, authorise revoke KEY shuts a client out.",
    )
    parser.add_argument("what", metavar="KEY|list|revoke", help="public key of the client, or what to do")
    parser.add_argument("key", nargs="?", metavar="KEY", help="which client to revoke")
    parser.add_argument("--name", default="", help="to recognise the client in the list")
    parser.add_argument("--json", action="store_true", help="one JSON object (list)")
    return parser


def run(args: argparse.Namespace) -> int:
    """Change or show the list. Raises ImageTo3DError for what is no key."""
    from ..protocol.keys import AuthorisedClients, load_or_create

    clients = AuthorisedClients()
    if args.what == "revoke":
        if args.key is None:
            raise ImageTo3DError(ErrorCode.BAD_REQUEST, "backend.which_client")
        if not clients.revoke(args.key):
            raise ImageTo3DError(ErrorCode.BAD_REQUEST, "backend.client_not_authorised", the_key=args.key[:60])
        print("Revoked; the client is refused from its next request on.")
        return 0
    if args.key is not None:
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "backend.one_key_at_a_time")
    if args.what == "list":
        own, server, listed = load_or_create("client").public, load_or_create("server").public, clients.listed()
        if args.json:
            print(json.dumps({"client": own, "server": server, "authorised": listed}))
            return 0
        print(f"{own}  this account's client, always authorised")
        for key, name in listed.items():
            print(f"{key}  {name}".rstrip())
        print(f"\nKey of this account's backend, which clients elsewhere need:\n{server}")
        return 0
    clients.add(args.what, args.name)
    print("Authorised.")
    return 0
