"""Loading the published checkpoints: by their tensor names, strictly, mapped into memory.

A checkpoint is a flat table of tensors, or a training state whose entry ``model`` is one. The tensors become the network's
parameters as they are; pages are read when the network first uses them.
"""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from ...core.errors import ErrorCode, ImageTo3DError
from .network_dpt import DPTNetwork
from .network_small import SmallNetwork

Network = TypeVar("Network", SmallNetwork, DPTNetwork)

_COUNTER = "num_batches_tracked"
"""Batch counters of normalisation layers: old checkpoints lack them, and inference does not look at them."""
_NAMES_SHOWN = 5


def read_checkpoint(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint file, on the CPU, mapped where the file format allows it.

    Raises:
        ImageTo3DError: ``weights_missing`` if the file is absent, damaged, or holds no table of tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise ImageTo3DError(
            ErrorCode.WEIGHTS_MISSING,
            f"There is no checkpoint {path}.",
            "Check the path, or run image-to-3d weights list.",
        )
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError, KeyError, OSError) as error:
        raise _unusable(path, str(error).splitlines()[0] if str(error) else type(error).__name__) from error
    if isinstance(content, dict) and "optimizer" in content:
        content = content.get("model")
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise _unusable(path, "it holds no table of tensors")
    return content


def load_network(path: str | Path, build: Callable[[], Network]) -> Network:
    """The network of a checkpoint file, on the CPU, float32, ready for inference.

    Every tensor that the network has must be in the file with the same shape, and every tensor of the file must be known: used,
    or among the network's ``UNUSED_TENSORS``.

    Args:
        path: checkpoint file.
        build: makes the network; called where new tensors take no memory.

    Raises:
        ImageTo3DError: ``weights_missing`` with what is wrong with the file.
    """
    path = Path(path)
    with torch.device("meta"):
        network = build()
    unused = re.compile("|".join(f"(?:{pattern})" for pattern in network.UNUSED_TENSORS))
    tensors = {name: t for name, t in read_checkpoint(path).items() if not unused.fullmatch(name)}
    expected = network.state_dict()
    for name in expected.keys() - tensors.keys():
        if name.endswith(_COUNTER):
            tensors[name] = torch.zeros((), dtype=torch.int64)
    problems = []
    if missing := expected.keys() - tensors.keys():
        problems.append(f"missing: {_some(missing)}")
    if unknown := tensors.keys() - expected.keys():
        problems.append(f"unknown: {_some(unknown)}")
    misshapen = [name for name, t in tensors.items() if name in expected and t.shape != expected[name].shape]
    if misshapen:
        problems.append(f"wrong shape: {_some(misshapen)}")
    if problems:
        raise _unusable(path, f"its tensors are not those of this network; {'; '.join(problems)}")
    network.load_state_dict({name: t.to(expected[name].dtype) for name, t in tensors.items()}, strict=True, assign=True)
    return network.eval().requires_grad_(False)


def _some(names: Iterable[str]) -> str:
    listed = sorted(names)
    rest = f" and {len(listed) - _NAMES_SHOWN} more" if len(listed) > _NAMES_SHOWN else ""
    return ", ".join(listed[:_NAMES_SHOWN]) + rest


def _unusable(path: Path, why: str) -> ImageTo3DError:
    return ImageTo3DError(
        ErrorCode.WEIGHTS_MISSING,
        f"The checkpoint {path} cannot be used: {why.rstrip('.')}.",
        "Delete it and fetch it again (image-to-3d weights fetch), or choose the right file.",
    )
