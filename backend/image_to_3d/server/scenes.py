"""Resident scenes: the clouds that renders refer to, least recently used first to go."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence

from ..core.errors import ErrorCode, ImageTo3DError

DEFAULT_BUDGET_BYTES = 2_000_000_000


def scene_id(frames: Sequence[bytes]) -> str:
    """Id of a cloud, derived from its encoded arrays: the same content always has the same id."""
    digest = hashlib.blake2b(digest_size=12)
    for frame in frames:
        digest.update(frame)
    return digest.hexdigest()


class SceneStore:
    """Encoded clouds by id, within a budget of bytes.

    Args:
        budget_bytes: the newest scene is always kept, even alone above the budget.
    """

    def __init__(self, budget_bytes: int = DEFAULT_BUDGET_BYTES) -> None:
        self._budget = budget_bytes
        self._scenes: OrderedDict[str, list[bytes]] = OrderedDict()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._scenes)

    def __contains__(self, scene: str) -> bool:
        return scene in self._scenes

    def put(self, scene: str, frames: Sequence[bytes]) -> None:
        """Keep a cloud; the least recently used ones make room."""
        self.drop(scene)
        self._scenes[scene] = list(frames)
        self.bytes += sum(map(len, frames))
        while self.bytes > self._budget and len(self._scenes) > 1:
            self.drop(next(iter(self._scenes)))

    def get(self, scene: str) -> list[bytes]:
        """Frames of a cloud, which becomes the most recently used.

        Raises:
            ImageTo3DError: ``scene_unknown``.
        """
        if scene not in self._scenes:
            raise ImageTo3DError(
                ErrorCode.SCENE_UNKNOWN,
                "The backend no longer holds this scene.",
                "It is sent again by itself; wait a moment.",
            )
        self._scenes.move_to_end(scene)
        return self._scenes[scene]

    def drop(self, scene: str) -> None:
        """Forget a cloud; unknown ids are fine."""
        self.bytes -= sum(map(len, self._scenes.pop(scene, [])))
