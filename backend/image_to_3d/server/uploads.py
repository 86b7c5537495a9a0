"""Scenes that clients bring: hashed and written beside the loop, resident when that is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import msgpack

from ..core.errors import ErrorCode, ImageTo3DError
from ..protocol.messages import Accepted, UploadScene
from ..protocol.schema import to_plain
from .background import BackgroundThread
from .replies import ReplySocket, reply_to_mistake
from .scenes import Scene, SceneStore, content_id
from .shared_folder import SharedFolder


@dataclass(eq=False)
class Upload:
    """One ``upload_scene`` of one client.

    Attributes:
        frames: the request as it came.
        fields: its fields without the arrays, packed.
    """

    client: bytes
    message_id: int
    frames: list[Any] = field(repr=False)
    fields: bytes = field(repr=False)


class SceneUploads:
    """Takes scenes and answers with their ids.

    Args:
        background: hashes and writes.
        folder: where arrays lie.
        scenes: where they become resident.
        replies: to the clients.
        on_scene: called when a scene is there.
    """

    def __init__(
        self,
        background: BackgroundThread,
        folder: SharedFolder,
        scenes: SceneStore,
        replies: ReplySocket,
        on_scene: Callable[[], None],
    ) -> None:
        self._background, self._folder, self._scenes, self._replies = background, folder, scenes, replies
        self._on_scene = on_scene
        self._pending: dict[Upload, None] = {}

    def accept(self, client: bytes, message_id: int, request: UploadScene, frames: Sequence[Any]) -> None:
        """Begin to keep a scene; the reply comes when it is resident.

        Raises:
            ImageTo3DError: ``bad_request`` if the arrays do not fit together.
        """
        arrays = (request.positions, request.scales, request.rotations, request.colours, request.opacities)
        if len(set(map(len, arrays))) > 1:
            raise ImageTo3DError(ErrorCode.BAD_REQUEST, "backend.scene_arrays_differ")
        upload = Upload(client, message_id, list(frames), msgpack.packb(to_plain(request)))
        self._pending[upload] = None
        self._background.run(
            partial(content_id, [upload.fields, *upload.frames[1:]]),
            then=partial(self._on_hashed, upload),
            failed=partial(self._on_failure, upload),
        )

    def pending(self) -> Iterator[Upload]:
        """Every upload that has not been answered."""
        yield from self._pending

    def _on_hashed(self, upload: Upload, scene: str) -> None:
        if scene in self._scenes:
            self._answer(upload, scene)
            return
        self._background.run(
            partial(self._folder.write, upload.frames[1:]),
            then=partial(self._on_written, upload, scene),
            failed=partial(self._on_failure, upload),
        )

    def _on_written(self, upload: Upload, scene: str, name: str) -> None:
        if scene in self._scenes:  # another client brought it meanwhile
            self._folder.delete(name)
        else:
            header, *blobs = upload.frames
            self._scenes.put(Scene(scene, name, bytes(header), sum(map(len, blobs))))
        self._answer(upload, scene)

    def _answer(self, upload: Upload, scene: str) -> None:
        del self._pending[upload]
        self._scenes.get(scene)  # now recently used
        self._replies.reply(upload.client, upload.message_id, Accepted(scene=scene))
        self._on_scene()

    def _on_failure(self, upload: Upload, error: Exception) -> None:
        del self._pending[upload]
        self._replies.error(upload.client, upload.message_id, reply_to_mistake(error))
