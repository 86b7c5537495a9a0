"""Checkpoint files of networks: read safely, mapped into memory, compared name by name with what a network needs."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from ..core.errors import ErrorCode, ImageTo3DError

Shape = tuple[int, ...]
_NAMES_SHOWN = 5


def read_tensors(path: str | Path, engine: str) -> dict[str, Tensor]:
    """The tensors of a checkpoint file on the CPU, mapped where the file format allows it; only tensors are unpickled.

    The file is a flat table of tensors, or a training state (it has an entry ``optimizer``) whose entry ``model`` is one.

    Args:
        path: checkpoint file.
        engine: name under which ``image-to-3d weights`` knows it, for the hint.

    Raises:
        ImageTo3DError: ``weights_missing`` if the file is absent, damaged, or holds no table of tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise ImageTo3DError(ErrorCode.WEIGHTS_MISSING, "weights.checkpoint_not_found", path=path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError, KeyError, OSError) as error:
        raise unusable(path, engine, str(error).splitlines()[0] if str(error) else type(error).__name__) from error
    if isinstance(content, Mapping) and "optimizer" in content:
        content = content.get("model")
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise unusable(path, engine, "it holds no flat table of tensors")
    return dict(content)


def differences(found: Mapping[str, Shape], expected: Mapping[str, Shape]) -> str:
    """What is missing, misshapen or unknown among the tensors found, with their names; empty if nothing is."""
    problems = []
    if missing := expected.keys() - found.keys():
        problems.append(f"missing: {_some(missing)}")
    misshapen = [
        f"{name} {tuple(found[name])} instead of {tuple(shape)}"
        for name, shape in expected.items()
        if name in found and tuple(found[name]) != tuple(shape)
    ]
    if misshapen:
        problems.append(f"wrong shape: {_some(misshapen)}")
    if unknown := found.keys() - expected.keys():
        problems.append(f"unknown: {_some(unknown)}")
    return "; ".join(problems)


def shapes(tensors: Mapping[str, Tensor]) -> dict[str, Shape]:
    """Name → shape."""
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def unusable(path: Path, engine: str, why: str) -> ImageTo3DError:
    """The error for a file that is not the right checkpoint."""
    return ImageTo3DError(
        ErrorCode.WEIGHTS_MISSING, "weights.checkpoint_unusable", path=path, why=why.rstrip("."), engine=engine
    )


def _some(names: Iterable[str]) -> str:
    listed = sorted(names)
    rest = f" and {len(listed) - _NAMES_SHOWN} more" if len(listed) > _NAMES_SHOWN else ""
    return ", ".join(listed[:_NAMES_SHOWN]) + rest
