"""What is known of a photo before it is sent: whether it is there, its size, its focal length, a small picture.

Panels ask at every draw and get what is known; files are looked at on a thread, because a folder on the network may take its time.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import bpy
import bpy.utils.previews
import numpy as np

from image_to_3d.core.imaging.photo_header import PhotoHead, read_head
from image_to_3d.io.photo_header import photo_head

from ..runtime.objects import of
from ..runtime.pump import Pump
from ..runtime.workers import Workers
from ..ui.reporting import redraw

LANE = "photo information"

_FRESH_SECONDS = 3.0
_TICK_SECONDS = 0.1
_SETTLE_SECONDS = 1.0
"""How long Blender's own thread gets to read a small picture before its pixels are asked for, which would wait for them."""


_UNKNOWN = PhotoHead()


@dataclass(frozen=True)
class PhotoFacts:
    """What is known of a photo.

    Attributes:
        head: size, orientation, focal length; all unknown if the file cannot be read.
        missing: why there is no such file, or empty.
        changed: time of the file's last change.
    """

    head: PhotoHead = _UNKNOWN
    missing: str = ""
    changed: float = 0.0


@dataclass(eq=False)
class _Entry:
    facts: PhotoFacts | None = None
    looked: float = -1e9
    under_way: bool = False


class PhotoInfo:
    """Facts and small pictures by path. Main thread."""

    def __init__(self) -> None:
        self.entries: dict[Path, _Entry] = {}
        self.packed: dict[tuple[str, int], PhotoFacts] = {}
        self.previews = bpy.utils.previews.new()
        self.to_turn: dict[str, tuple[float, PhotoHead]] = {}
        of(Pump).add(self.tick)

    def facts(self, path: Path) -> PhotoFacts | None:
        """What is known now; a look at the file is under way if that is old."""
        entry = self.entries.setdefault(path, _Entry())
        if not entry.under_way and time.monotonic() - entry.looked > _FRESH_SECONDS:
            entry.under_way = True
            of(Workers).run(lambda _: _look(path), lambda found: self._take(entry, found), lane=LANE, in_any_mode=True)
        return entry.facts

    def _take(self, entry: _Entry, found: PhotoFacts | Exception) -> None:
        facts = (
            found if isinstance(found, PhotoFacts) else PhotoFacts()
        )  # whatever is odd about it, the next photo is shown
        entry.looked, entry.under_way = time.monotonic(), False
        if facts != entry.facts:
            entry.facts = facts
            redraw()

    def icon(self, path: Path) -> int:
        """Icon of a small picture; 0 where Blender cannot read the photo or it has not been looked at. Blender reads it later."""
        facts = self.facts(path)
        if facts is None or facts.missing or path.suffix.lower() not in bpy.path.extensions_image:
            return 0
        key = f"{path} {facts.changed}"
        if key not in self.previews:
            self.previews.load(key, str(path), "IMAGE")
            if facts.head.upright != _UNKNOWN.upright:
                self.to_turn[key] = time.monotonic(), facts.head
                of(Pump).wake(self.tick)
        return self.previews[key].icon_id

    def tick(self) -> float | None:
        """Turn small pictures that Blender has read meanwhile."""
        for key, (since, head) in list(self.to_turn.items()):
            if time.monotonic() - since > _SETTLE_SECONDS:
                del self.to_turn[key]
                _turn(self.previews[key], head)
                redraw()
        return _TICK_SECONDS if self.to_turn else None

    def close(self) -> None:
        """Free the small pictures."""
        bpy.utils.previews.remove(self.previews)


def _look(path: Path) -> PhotoFacts:
    """On the thread."""
    try:
        changed = path.stat().st_mtime
        if not path.is_file():
            return PhotoFacts(missing="a folder")
    except OSError as error:
        return PhotoFacts(missing=error.strerror or str(error))
    try:
        return PhotoFacts(photo_head(path), changed=changed)
    except (OSError, ValueError):  # may not be read; ValueError: it shrank while it was mapped
        return PhotoFacts(changed=changed)


def _turn(preview: bpy.types.ImagePreview, head: PhotoHead) -> None:
    """Blender shows files as they are stored."""
    width, height = preview.image_size
    if not width * height:
        return
    pixels = np.empty(width * height * 4, np.float32)
    preview.image_pixels_float.foreach_get(pixels)
    stored = pixels.reshape(height, width, 4)[::-1]
    stored = stored[:, ::-1] if head.upright.mirrored else stored
    upright = np.rot90(stored, -head.upright.quarter_turns)
    preview.image_size = upright.shape[1], upright.shape[0]
    preview.image_pixels_float.foreach_set(np.ascontiguousarray(upright[::-1]).ravel())


def of_path(path: Path) -> PhotoFacts | None:
    """What is known of a photo file; None until it has been looked at."""
    return of(PhotoInfo).facts(path)


def icon(path: Path) -> int:
    """Icon number of a small picture of a photo file, 0 for none."""
    return of(PhotoInfo).icon(path)


def of_image(image: bpy.types.Image) -> PhotoFacts | None:
    """The same of an image of the .blend file; one that was painted has no head."""
    if image.source != "FILE" or image.is_dirty:
        return PhotoFacts()
    if image.packed_file is None:
        return (
            of_path(Path(bpy.path.abspath(image.filepath, library=image.library))) if image.filepath else PhotoFacts()
        )
    key, packed = (image.name_full, image.packed_file.size), of(PhotoInfo).packed
    if key not in packed:
        packed[key] = PhotoFacts(read_head(bytes(image.packed_file.data)))
    return packed[key]


def looking() -> bool:
    """True while a look at a file is under way."""
    return of(Workers).in_lane(LANE) is not None
