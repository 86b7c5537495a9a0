"""Where the backend listens: two sockets with CURVE, who may connect to them, and who is connected."""

from __future__ import annotations

import logging
from typing import Any

import zmq
from zmq.auth.thread import ThreadAuthenticator
from zmq.utils.monitor import recv_monitor_message

from ..protocol.keys import AuthorisedClients, load_or_create
from .sockets import (
    MAX_FRAME_BYTES,
    MAX_PREVIEW_REQUEST_BYTES,
    KeyCheck,
    bind_router,
    bound_address,
    check_address,
    is_loopback,
    reachable,
)

log = logging.getLogger(__name__)


class Listener:
    """The control socket, the socket for pictures beside it, and the list of keys that both are opened to.

    Args:
        bind: ZeroMQ TCP address; pictures get the next port, or another free one.

    Attributes:
        context: of every socket of the process.
        control, frames: ROUTER sockets.
        monitors: PAIR sockets; when one is readable, call :meth:`track_connections`.
        check: whether a key is authorised.
        server_key: public key of the backend.
        own_client_key: public key of the clients of this account, made here so that they find it.
        is_loopback: only this machine can reach it.

    Raises:
        ImageTo3DError: the address cannot be bound.
    """

    def __init__(self, bind: str) -> None:
        host, port = check_address(bind)
        self.context: zmq.Context[Any] = zmq.Context()
        self.context.setsockopt(zmq.MAX_SOCKETS, 4096)
        keys = load_or_create("server")
        self.server_key = keys.public
        self.own_client_key = load_or_create("client").public
        self.check = KeyCheck(AuthorisedClients())
        self._authenticator = ThreadAuthenticator(self.context, log=log)
        self._authenticator.start()
        self._authenticator.configure_curve_callback("*", credentials_provider=self.check)
        try:
            self.control = bind_router(self.context, keys, bind, MAX_FRAME_BYTES)
            frames = f"tcp://{host}:{'*' if port is None else port + 1}"
            self.frames = bind_router(self.context, keys, frames, MAX_PREVIEW_REQUEST_BYTES)
        except BaseException:
            self.abandon()
            raise
        self.is_loopback = is_loopback(host)
        if not self.is_loopback:
            log.warning(
                "Listening on a network. Every connection is encrypted; only authorised keys get in: image-to-3d authorise"
            )
        self.monitors = [
            socket.get_monitor_socket(zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED)
            for socket in (self.control, self.frames)
        ]
        self._connections: list[set[int]] = [set(), set()]

    @property
    def address(self) -> str:
        """By which this machine reaches the control socket."""
        return reachable(bound_address(self.control))

    @property
    def frames_port(self) -> int:
        """TCP port of the socket for pictures."""
        return int(bound_address(self.frames).rpartition(":")[2])

    @property
    def connected(self) -> int:
        """How many clients are connected to the control socket."""
        return len(self._connections[0])

    def track_connections(self) -> None:
        """Which TCP connections are open, by their file descriptors: strangers who never say hello leave the count alone."""
        for monitor, open_ones in zip(self.monitors, self._connections, strict=True):
            while monitor.poll(0):
                event = recv_monitor_message(monitor)
                if int(event["event"]) == zmq.EVENT_ACCEPTED:
                    open_ones.add(int(event["value"]))
                else:
                    open_ones.discard(int(event["value"]))

    def stop_watching(self) -> None:
        """Close the monitors; the sockets stay open for the last replies."""
        for socket, monitor in zip((self.control, self.frames), self.monitors, strict=True):
            socket.disable_monitor()
            monitor.close(0)

    def close(self) -> None:
        """Close the sockets when the last replies have left, and the context, whose other sockets must be closed by then."""
        self._authenticator.stop()
        for socket in (self.control, self.frames):
            socket.close(500)
        self.context.term()

    def abandon(self) -> None:
        """Close everything at once."""
        self._authenticator.stop()
        self.context.destroy(0)
