"""The backend of the tests in Blender."""

from __future__ import annotations

import time


def stop_backend() -> None:
    from image_to_3d.protocol import Client, ConnectionLost, published
    from image_to_3d.protocol.endpoint import process_exists
    from image_to_3d.protocol.messages import Shutdown

    endpoint = published()
    if endpoint is None:
        return
    try:
        with Client() as client:
            client.call(Shutdown(), timeout=5)
    except ConnectionLost:
        pass
    end = time.monotonic() + 20
    while process_exists(endpoint.pid):
        assert time.monotonic() < end
        time.sleep(0.05)
