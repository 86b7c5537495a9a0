"""The wire between Blender and the backend: one schema, one framing, one client. Knows neither torch nor bpy."""

from .client import Client, ConnectionLost
from .client_thread import ClientThread, Event
from .endpoint import Endpoint, published
from .frames import FrameEvent, FrameThread
from .messages import PROTOCOL_VERSION

__all__ = [
    "PROTOCOL_VERSION",
    "Client",
    "ClientThread",
    "ConnectionLost",
    "Endpoint",
    "Event",
    "FrameEvent",
    "FrameThread",
    "published",
]
