"""Loading the published checkpoint: by its tensor names, strictly, and without touching what is not needed.

The file is a flat state dict. It is mapped into memory and its tensors become the network's parameters as they are; pages are
read when the network first uses them.
"""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from ...core.errors import ErrorCode, ImageTo3DError
from .config import SharpConfig
from .network import SharpNetwork

UNUSED_TENSORS = (
    r"monodepth_model\.monodepth_predictor\.encoder\.(patch|image)_encoder\.head\.(weight|bias)",  # ImageNet classifiers
    r"depth_alignment\..+",  # compares with measured depth, in training only
    r"(monodepth_model\.monodepth_predictor|feature_model)\.decoder\.fusions\.4\.resnet1\..+",  # the coarsest level has no skip
)
"""Patterns of the names that the checkpoint holds and inference never uses."""

PUBLISHED = SharpConfig()
"""The network of the published checkpoint."""

_UNUSED = re.compile("|".join(f"(?:{pattern})" for pattern in UNUSED_TENSORS))
_NAMES_SHOWN = 5


def is_unused(name: str) -> bool:
    """Whether a tensor of the checkpoint is known to have no part in inference."""
    return _UNUSED.fullmatch(name) is not None


def expected_shapes(config: SharpConfig) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the tensors that a network of this configuration needs."""
    return {name: tuple(tensor.shape) for name, tensor in _empty_network(config).state_dict().items()}


def read_checkpoint(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint file, mapped, on the CPU, without those that inference does not use.

    Raises:
        ImageTo3DError: ``weights_missing`` if the file is absent, damaged, or no flat state dict.
    """
    path = Path(path)
    if not path.is_file():
        raise ImageTo3DError(
            ErrorCode.WEIGHTS_MISSING,
            f"There is no checkpoint {path}.",
            "Check the path, or run image-to-3d weights list.",
        )
    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError, KeyError, OSError) as error:
        raise _damaged(path, str(error).splitlines()[0] if str(error) else type(error).__name__) from error
    if not isinstance(tensors, Mapping) or not all(isinstance(value, Tensor) for value in tensors.values()):
        raise _damaged(path, "it holds no flat table of tensors")
    return {name: tensor for name, tensor in tensors.items() if not is_unused(name)}


def check_shapes(found: Mapping[str, tuple[int, ...]], config: SharpConfig) -> None:
    """Compare names and shapes with what the configuration needs; unused tensors may be there or not.

    Raises:
        ImageTo3DError: ``weights_missing`` naming the tensors that are missing, misshapen or unknown.
    """
    expected = expected_shapes(config)
    found = {name: shape for name, shape in found.items() if not is_unused(name)}
    problems = []
    if missing := expected.keys() - found.keys():
        problems.append(f"missing: {_some(missing)}")
    misshapen = [
        f"{name} {tuple(found[name])} instead of {shape}"
        for name, shape in expected.items()
        if name in found and tuple(found[name]) != shape
    ]
    if misshapen:
        problems.append(f"wrong shape: {_some(misshapen)}")
    if unknown := found.keys() - expected.keys():
        problems.append(f"unknown: {_some(unknown)}")
    if problems:
        raise ImageTo3DError(
            ErrorCode.WEIGHTS_MISSING,
            f"The tensors of this checkpoint are not those of SHARP; {'; '.join(problems)}.",
            "Fetch it again: image-to-3d weights fetch sharp.",
        )


def check_published(path: str | Path) -> None:
    """Check that a file is the published network, tensor by tensor.

    Raises:
        ImageTo3DError: ``weights_missing`` with what is wrong with the file.
    """
    check_shapes({name: tuple(tensor.shape) for name, tensor in read_checkpoint(path).items()}, PUBLISHED)


def load_network(path: str | Path) -> SharpNetwork:
    """The network of a checkpoint file, on the CPU, float32, ready for inference; its size is read off the tensors.

    Raises:
        ImageTo3DError: ``weights_missing`` with what is wrong with the file.
    """
    tensors = read_checkpoint(path)
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    config = SharpConfig.from_shapes(shapes)
    check_shapes(shapes, config)
    network = _empty_network(config)
    network.load_state_dict({name: t.to(torch.float32) for name, t in tensors.items()}, strict=True, assign=True)
    return network.eval().requires_grad_(False)


def _empty_network(config: SharpConfig) -> SharpNetwork:
    """The modules without memory for their weights.

    Raises:
        ImageTo3DError: ``weights_missing`` if no network can have these dimensions.
    """
    try:
        with torch.device("meta"):
            return SharpNetwork(config)
    except (ValueError, AssertionError, ZeroDivisionError, RuntimeError, IndexError) as error:
        raise ImageTo3DError(
            ErrorCode.WEIGHTS_MISSING,
            f"The tensors of this checkpoint do not form a SHARP network: {error}.",
            "Choose the file sharp_2572gikvuh.pt.",
        ) from error


def _some(names: Iterable[str]) -> str:
    listed = sorted(names)
    rest = f" and {len(listed) - _NAMES_SHOWN} more" if len(listed) > _NAMES_SHOWN else ""
    return ", ".join(listed[:_NAMES_SHOWN]) + rest


def _damaged(path: Path, why: str) -> ImageTo3DError:
    return ImageTo3DError(
        ErrorCode.WEIGHTS_MISSING,
        f"{path} is not a readable checkpoint: {why.rstrip('.')}.",
        "Delete it and fetch it again: image-to-3d weights fetch sharp.",
    )
