"""Resident scenes: the clouds that renders refer to, least recently used first to go."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ..core.errors import ErrorCode, ImageTo3DError
from .shared_folder import SharedFolder

DEFAULT_BUDGET_BYTES = 2_000_000_000


@dataclass(frozen=True)
class Scene:
    """A cloud whose arrays lie in a file.

    Attributes:
        id: what clients call it.
        name: of the file in the shared folder.
        header: of the message that brought it, as :func:`~image_to_3d.protocol.wire.encode` made it.
        size: of the file in bytes.
    """

    id: str
    name: str
    header: bytes
    size: int


def content_id(blobs: Sequence[Any]) -> str:
    """Id derived from a cloud's arrays: the same content always has the same id, so that an upload can be repeated.

    Results are not hashed; they get the random name of their file.
    """

    def digest(blob: Any) -> bytes:
        return hashlib.blake2b(blob, digest_size=16).digest()  # lets other threads run meanwhile

    with ThreadPoolExecutor(max_workers=len(blobs) or 1) as pool:
        return hashlib.blake2b(b"".join(pool.map(digest, blobs)), digest_size=16).hexdigest()


class SceneStore:
    """Scenes by id, within a budget of bytes.

    Args:
        folder: where their arrays lie.
        budget_bytes: the newest scene is always kept, even alone above the budget.
    """

    def __init__(self, folder: SharedFolder, budget_bytes: int = DEFAULT_BUDGET_BYTES) -> None:
        self._folder = folder
        self._budget = budget_bytes
        self._scenes: OrderedDict[str, Scene] = OrderedDict()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._scenes)

    def __contains__(self, scene: str) -> bool:
        return scene in self._scenes

    def put(self, scene: Scene) -> None:
        """Keep a scene; the least recently used ones make room."""
        self.drop(scene.id)
        self._scenes[scene.id] = scene
        self.bytes += scene.size
        while self.bytes > self._budget and len(self._scenes) > 1:
            self.drop(next(iter(self._scenes)))

    def get(self, scene: str) -> Scene:
        """A scene, which becomes the most recently used.

        Raises:
            ImageTo3DError: ``scene_unknown``.
        """
        if scene not in self._scenes:
            raise ImageTo3DError(ErrorCode.SCENE_UNKNOWN, "backend.scene_dropped")
        self._scenes.move_to_end(scene)
        return self._scenes[scene]

    def drop(self, scene: str) -> None:
        """Forget a scene; unknown ids are fine."""
        found = self._scenes.pop(scene, None)
        if found is not None:
            self.bytes -= found.size
            self._folder.delete(found.name)
