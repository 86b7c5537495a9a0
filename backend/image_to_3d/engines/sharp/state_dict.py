"""Loading the published checkpoint: by its tensor names, strictly, and without touching what is not needed.

The file is a flat state dict. It is mapped into memory and its tensors become the network's parameters as they are; pages are
read when the network first uses them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from ...core.errors import ErrorCode, ImageTo3DError
from ..checkpoints import differences, read_tensors, shapes
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


def is_unused(name: str) -> bool:
    """Whether a tensor of the checkpoint is known to have no part in inference."""
    return _UNUSED.fullmatch(name) is not None


def expected_shapes(config: SharpConfig) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the tensors that a network of this configuration needs."""
    return shapes(_empty_network(config).state_dict())


def read_checkpoint(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint file, mapped, on the CPU, without those that inference does not use.

    Raises:
        ImageTo3DError: ``weights_missing``, see :func:`~image_to_3d.engines.checkpoints.read_tensors`.
    """
    return {name: tensor for name, tensor in read_tensors(path, "sharp").items() if not is_unused(name)}


def check_shapes(found: Mapping[str, tuple[int, ...]], config: SharpConfig) -> None:
    """Compare names and shapes with what the configuration needs; unused tensors may be there or not.

    Raises:
        ImageTo3DError: ``weights_missing`` naming the tensors that are missing, misshapen or unknown.
    """
    problems = differences({n: shape for n, shape in found.items() if not is_unused(n)}, expected_shapes(config))
    if problems:
        raise ImageTo3DError(ErrorCode.WEIGHTS_MISSING, "weights.sharp_tensors_differ", problems=problems)


def check_published(path: str | Path) -> None:
    """Check that a file is the published network, tensor by tensor.

    Raises:
        ImageTo3DError: ``weights_missing`` with what is wrong with the file.
    """
    check_shapes(shapes(read_checkpoint(path)), PUBLISHED)


def load_network(path: str | Path) -> SharpNetwork:
    """The network of a checkpoint file, on the CPU, float32, ready for inference; its size is read off the tensors.

    Raises:
        ImageTo3DError: ``weights_missing`` with what is wrong with the file.
    """
    tensors = read_checkpoint(path)
    config = SharpConfig.from_shapes(shapes(tensors))
    check_shapes(shapes(tensors), config)
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
        raise ImageTo3DError(ErrorCode.WEIGHTS_MISSING, "weights.sharp_tensors_misfit", why=error) from error
