"""Photos named on a command line: files, folders and patterns, and the names of what is made from them."""

from __future__ import annotations

import argparse
import glob
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import ErrorCode, ImageTo3DError
from ..file_kinds import DEPTHS, PHOTOS, kind_of, suffixes


@dataclass(frozen=True)
class Input:
    """A photo to work on; ``output`` is the path, without suffix, of what is made from it, below the output folder."""

    path: Path
    output: Path


def find_photos(arguments: Sequence[str]) -> list[Input]:
    """Photos in the order given, folders sorted by path; each file once. Files that do not exist are kept: they fail later.

    Output names mirror the subfolders of a folder; photos that would get the same name keep their suffix in it
    (``a.jpg``, ``a.png`` → ``a_jpg``, ``a_png``), and a number if that does not tell them apart.

    Raises:
        ImageTo3DError: ``bad_request`` if a folder or a pattern holds no photo.
    """
    found: dict[Path, Path] = {}
    for argument in arguments:
        path = Path(argument)
        if path.is_dir():
            inside = _photos_below(path)
            new = {photo: photo.relative_to(path).with_suffix("") for photo in inside}
        elif not path.exists() and glob.has_magic(argument):
            matches = sorted(Path(match) for match in glob.glob(argument, recursive=True))  # noqa: PTH207 - absolute ones too
            new = {match: Path(match.stem) for match in matches if match.is_file() and _is_photo(match)}
        else:
            new = {path: Path(path.stem)}
        if not new:
            raise ImageTo3DError(ErrorCode.BAD_REQUEST, "photos.none_found", argument=argument)
        for photo, output in new.items():
            found.setdefault(photo, output)
    return _distinct(found)


def _is_photo(path: Path) -> bool:
    return kind_of(path, PHOTOS) is not None and not path.name.startswith(".")


def _photos_below(folder: Path) -> list[Path]:
    return sorted(
        Path(place) / name
        for place, folders, names in os.walk(folder)
        for name in names
        if _is_photo(Path(name)) and (Path(place) / name).is_file()
    )


def _distinct(found: dict[Path, Path]) -> list[Input]:
    def key(output: Path) -> str:
        return str(output).casefold()  # Windows and macOS do not tell A.ply from a.ply

    clashes = Counter(key(output) for output in found.values())
    inputs, taken = [], set()
    for photo, plain in found.items():
        output = plain
        if clashes[key(plain)] > 1:
            output = plain.with_name(f"{plain.name}_{photo.suffix.lstrip('.').lower()}")
        base, number = output, 2
        while key(output) in taken:
            output, number = base.with_name(f"{base.name}-{number}"), number + 1
        taken.add(key(output))
        inputs.append(Input(photo, output))
    return inputs


def depth_file_for(photo: Path, args: argparse.Namespace) -> Path | None:
    """The file of ``--depth`` that belongs to a photo; None without the option.

    Raises:
        ImageTo3DError: ``image_unreadable`` if a folder was given that holds none.
    """
    return None if args.depth is None else _beside(Path(args.depth), photo)


def _beside(depth: Path, photo: Path) -> Path:
    if not depth.is_dir():
        return depth
    for suffix in suffixes(DEPTHS):
        if (depth / f"{photo.stem}{suffix}").is_file():
            return depth / f"{photo.stem}{suffix}"
    raise ImageTo3DError(
        ErrorCode.IMAGE_UNREADABLE,
        "depth.missing_in_folder",
        depth=depth,
        photo_name=photo.name,
        stem=photo.stem,
        suffixes=", ".join(suffixes(DEPTHS)),
    )


def check_one_depth_file(inputs: Sequence[Input], args: argparse.Namespace) -> None:
    """Refuse one depth file for several photos.

    Raises:
        ImageTo3DError: ``bad_request``.
    """
    if args.depth is not None and len(inputs) > 1 and not Path(args.depth).is_dir():
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "depth.one_file_many_photos", inputs_count=len(inputs))
