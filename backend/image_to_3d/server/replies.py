"""How replies leave: to one client by its routing id, never waiting for it."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import zmq

from ..core.errors import ErrorCode, ImageTo3DError
from ..protocol.errors import error_reply
from ..protocol.messages import Message
from ..protocol.wire import encode, frames_from_file, point_to_file
from .shared_folder import SharedFolder

MAX_REMEMBERED_CLIENTS = 4096

log = logging.getLogger(__name__)


def reply_to_mistake(error: Exception) -> ImageTo3DError:
    """The error to reply for an exception: itself if it has words for a person; any other is logged with its traceback."""
    if isinstance(error, ImageTo3DError):
        return error
    log.error("a request failed", exc_info=error)
    return ImageTo3DError(ErrorCode.INTERNAL, "backend.internal")


class FileSharers:
    """The clients that can open files of the shared folder, because they said so and are on this machine."""

    def __init__(self) -> None:
        self._clients: OrderedDict[bytes, None] = OrderedDict()

    def __contains__(self, client: bytes) -> bool:
        return client in self._clients

    def add(self, client: bytes) -> None:
        """Remember a client; of very many the oldest is forgotten, and gets its arrays through the socket from then on."""
        self._clients[client] = None
        while len(self._clients) > MAX_REMEMBERED_CLIENTS:
            self._clients.popitem(last=False)

    def discard(self, client: bytes) -> None:
        """Forget a client."""
        self._clients.pop(client, None)


class ReplySocket:
    """A ROUTER socket as the place where replies leave.

    Args:
        socket: it.
        folder: where arrays of replies lie.
        sharers: clients that can open them there.
    """

    def __init__(self, socket: zmq.Socket[bytes], folder: SharedFolder, sharers: FileSharers) -> None:
        self._socket = socket
        self._folder = folder
        self._sharers = sharers

    def send(self, client: bytes, frames: Sequence[Any]) -> bool:
        """Send an encoded reply; False if the client is gone or does not read."""
        try:
            self._socket.send_multipart([client, *frames], flags=zmq.NOBLOCK, copy=False)
        except zmq.ZMQError as error:
            if error.errno not in (zmq.EHOSTUNREACH, zmq.EAGAIN):
                raise
            return False
        return True

    def reply(self, client: bytes, message_id: int, message: Message) -> bool:
        """Send a reply; False if the client is gone or does not read."""
        return self.send(client, encode(message, message_id))

    def error(self, client: bytes, message_id: int, error: ImageTo3DError) -> None:
        """Send an error, if the client is still there."""
        self.reply(client, message_id, error_reply(error))

    def send_with_file(self, client: bytes, header: bytes, name: str) -> bool:
        """A reply whose arrays lie in a file: by its name to those who can open it, else streamed from the mapped file.

        Raises:
            OSError: the file is gone or cannot be mapped.
        """
        if client in self._sharers:
            return self.send(client, [point_to_file(header, name)])
        return self.send(client, frames_from_file(header, self._folder.open(name)))
