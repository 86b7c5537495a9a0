"""What the sockets at both ends of the wire have in common."""

from __future__ import annotations

import zmq

HEARTBEAT_MS = 1000
HEARTBEAT_TIMEOUT_MS = 4000
HANDSHAKE_MS = 5000


def keep_alive(socket: zmq.Socket[bytes]) -> None:
    """Heartbeats, by which both ends notice within seconds that the other is gone, and a limit for the handshake.

    Nothing limits how many messages wait to be read: libzmq 4.3.5 aborts the whole process (``Assertion failed: !_io_error``)
    when a heartbeat is due on a connection whose peer has gone while the limit was reached. That would be Blender, or the backend.
    """
    socket.setsockopt(zmq.RCVHWM, 0)
    socket.setsockopt(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS)
    socket.setsockopt(zmq.HEARTBEAT_TTL, HEARTBEAT_TIMEOUT_MS)
    socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
