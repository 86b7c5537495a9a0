"""The sockets of the backend: TCP with CURVE and limits, or nothing."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
from typing import Any

import zmq
from zmq.utils import z85

from ..core.errors import ErrorCode, ImageTo3DError
from ..protocol.keys import AuthorisedClients, KeyPair
from ..protocol.sockets import keep_alive

log = logging.getLogger(__name__)

LOOPBACK = "tcp://127.0.0.1:*"
MAX_FRAME_BYTES = 1 << 30
MAX_PREVIEW_REQUEST_BYTES = 1 << 21
_ADDRESS_HINT = "An address looks like tcp://127.0.0.1:5555, or tcp://*:5555 for all networks; the port must be free."


def check_address(address: str) -> tuple[str, int | None]:
    """(host, port or None for a free one) of an address that the backend may bind.

    Raises:
        ImageTo3DError: ``bad_request`` for anything but TCP: other transports carry no CURVE, hence no authorisation.
    """
    scheme, separator, rest = address.partition("://")
    if separator and scheme != "tcp":
        raise ImageTo3DError(
            ErrorCode.BAD_REQUEST, "backend.transport_not_encrypted", address=address, scheme=scheme, hint=_ADDRESS_HINT
        )
    host, _, port = rest.rpartition(":")
    valid_port = port in ("*", "0") or (port.isdecimal() and 0 < int(port) < 65536)
    if not separator or not host or not valid_port:
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "backend.address_malformed", address=address, hint=_ADDRESS_HINT)
    return host, None if port in ("*", "0") else int(port)


def is_loopback(host: str) -> bool:
    """True if only this machine can reach the host part of an address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def bind_router(context: zmq.Context[Any], keys: KeyPair, address: str, max_bytes: int) -> zmq.Socket[bytes]:
    """A ROUTER socket with CURVE, heartbeats and limits.

    Raises:
        ImageTo3DError: ``bad_request`` if the address is not one, or taken.
    """
    check_address(address)
    socket = context.socket(zmq.ROUTER)
    socket.curve_server = True
    socket.curve_secretkey = keys.secret.encode()
    socket.curve_publickey = keys.public.encode()
    socket.setsockopt(zmq.IPV6, int("[" in address))
    socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
    socket.setsockopt(zmq.MAXMSGSIZE, max_bytes)
    socket.setsockopt(zmq.SNDHWM, 256)
    keep_alive(socket)
    try:
        socket.bind(address)
    except zmq.ZMQError as error:
        socket.close(0)
        raise ImageTo3DError(
            ErrorCode.BAD_REQUEST, "backend.address_unusable", address=address, why=error.strerror, hint=_ADDRESS_HINT
        ) from None
    return socket


def bound_address(socket: zmq.Socket[bytes]) -> str:
    """Where a socket really listens, its port filled in."""
    value = socket.getsockopt(zmq.LAST_ENDPOINT)
    assert isinstance(value, bytes)
    return value.rstrip(b"\0").decode()


def reachable(address: str) -> str:
    """The address by which this machine reaches what is bound to ``address``."""
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    with contextlib.suppress(ValueError):
        if ipaddress.ip_address(host.strip("[]")).is_unspecified:
            return f"tcp://127.0.0.1:{port}"
    return address


def key_of(frame: zmq.Frame) -> str:
    """Public key of the client that sent a frame, as the authentication recorded it."""
    return str(frame.get("User-Id"))


class KeyCheck:
    """Asks the list of authorised clients, at each new connection and at each request."""

    def __init__(self, clients: AuthorisedClients) -> None:
        self._clients = clients

    def callback(self, domain: str, key: bytes) -> bool:
        """Called by the authenticator with the key of a new connection."""
        try:
            allowed = self.allows(z85.encode(key).decode() if len(key) == 32 else key.decode())
        except UnicodeDecodeError:
            allowed = False
        if not allowed:
            log.warning("A client with an unknown key was turned away.")
        return allowed

    def allows(self, key: str) -> bool:
        """May this client use the backend now?"""
        try:
            return self._clients.allows(key)
        except ImageTo3DError as error:
            log.error("%s", error)
            return False
