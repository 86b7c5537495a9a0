"""CURVE key pairs of this user, and which clients may connect.

Keys are Z85 text as ZeroMQ writes them. They are made at first use in the config folder, files 0600. A client of the same
account reads the server's public key and its own pair from there; another machine's client must be authorised by key.
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

import zmq
from zmq.utils import z85

from ..core.errors import ErrorCode, ImageTo3DError
from ..paths import config_folder, write_private


@dataclass(frozen=True)
class KeyPair:
    """A CURVE key pair, Z85 text of 40 characters each."""

    public: str
    secret: str


def load_or_create(name: str, folder: Path | None = None) -> KeyPair:
    """The pair called ``server`` or ``client``; made if it does not exist.

    Raises:
        ImageTo3DError: ``unauthorised`` if others can read the file, or it is damaged.
    """
    path = (folder or config_folder()) / f"{name}.key.json"
    if not path.exists():
        public, secret = zmq.curve_keypair()
        while public.startswith(b"-"):  # a command line would take it for an option
            public, secret = zmq.curve_keypair()
        fresh = KeyPair(public.decode(), secret.decode())
        _create_once(path, json.dumps({"public": fresh.public, "secret": fresh.secret}))
    if os.name == "posix" and path.stat().st_mode & 0o077:
        raise ImageTo3DError(ErrorCode.UNAUTHORISED, "backend.key_file_readable", path=path)
    try:
        stored = json.loads(path.read_text("utf-8"))
        pair = KeyPair(str(stored["public"]), str(stored["secret"]))
        if zmq.curve_public(pair.secret.encode()).decode() != pair.public:
            raise ValueError
    except (OSError, ValueError, KeyError, TypeError, zmq.ZMQError):
        raise ImageTo3DError(ErrorCode.UNAUTHORISED, "backend.key_file_damaged", path=path) from None
    return pair


def _create_once(path: Path, text: str) -> None:
    """Processes and threads that start at once agree on one key: the first link wins."""
    temporary = path.with_name(f".{path.name}.new-{secrets.token_hex(8)}")
    write_private(temporary, text)
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    except OSError:  # no hard links on this file system
        if not path.exists():
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def is_key(text: str) -> bool:
    """True for the Z85 text of a public key."""
    try:
        return len(text) == 40 and len(z85.decode(text.encode())) == 32
    except (ValueError, KeyError, UnicodeEncodeError):
        return False


_Stamp = tuple[int, int, int, int] | None


def _stamp(path: Path) -> _Stamp:
    """What changes when a file does: which file it is, its dates and its size. None if there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size


class AuthorisedClients:
    """The public keys that may connect: this account's own, and those added by hand."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or config_folder()
        self._path = self._folder / "authorised_clients.json"
        self._own: tuple[_Stamp, str] | None = None
        self._others: tuple[_Stamp, frozenset[str]] | None = None

    def listed(self) -> dict[str, str]:
        """Public key → name, without this account's own key.

        Raises:
            ImageTo3DError: ``unauthorised`` if others can change the file, or it is damaged.
        """
        try:
            if os.name == "posix" and self._path.stat().st_mode & 0o022:
                raise ImageTo3DError(ErrorCode.UNAUTHORISED, "backend.client_list_writable", path=self._path)
            stored = json.loads(self._path.read_text("utf-8"))
            return {str(key): str(name) for key, name in stored.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, AttributeError):
            raise ImageTo3DError(ErrorCode.UNAUTHORISED, "backend.client_list_damaged", path=self._path) from None

    def add(self, key: str, name: str = "") -> None:
        """Let a client in.

        Raises:
            ImageTo3DError: ``bad_request`` if this is no public key.
        """
        if not is_key(key):
            raise ImageTo3DError(ErrorCode.BAD_REQUEST, "backend.not_a_key", the_key=key[:60])
        write_private(self._path, json.dumps({**self.listed(), key: name}, indent=1))

    def revoke(self, key: str) -> bool:
        """Shut a client out; False if it was not listed."""
        listed = self.listed()
        if key not in listed:
            return False
        del listed[key]
        write_private(self._path, json.dumps(listed, indent=1))
        return True

    def allows(self, key: str) -> bool:
        """May this public key connect? Any thread may ask, for each request: a file is read again when it has changed.

        Raises:
            ImageTo3DError: see :meth:`listed`.
        """
        stamp = _stamp(self._folder / "client.key.json")
        own = self._own
        if own is None or own[0] != stamp or stamp is None:
            own = self._own = stamp, load_or_create("client", self._folder).public
        if key == own[1]:
            return True
        stamp = _stamp(self._path)
        others = self._others
        if others is None or others[0] != stamp:
            others = self._others = stamp, frozenset(self.listed())
        return key in others[1]
