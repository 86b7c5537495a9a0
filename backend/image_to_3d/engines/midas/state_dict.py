"""Loading the published checkpoints: by their tensor names, strictly, mapped into memory.

A checkpoint is a flat table of tensors, or a training state whose entry ``model`` is one. The tensors become the network's
parameters as they are; pages are read when the network first uses them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch

from ..checkpoints import differences, read_tensors, shapes, unusable
from .config import DPTConfig, SmallConfig
from .network_dpt import DPTNetwork
from .network_small import SmallNetwork

Network = TypeVar("Network", bound="SmallNetwork | DPTNetwork")

_COUNTER = "num_batches_tracked"
"""Batch counters of normalisation layers: old checkpoints lack them, and inference does not look at them."""


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
    tensors = {name: t for name, t in read_tensors(path, network.ENGINE).items() if not unused.fullmatch(name)}
    expected = network.state_dict()
    for name in expected.keys() - tensors.keys():
        if name.endswith(_COUNTER):
            tensors[name] = torch.zeros((), dtype=torch.int64)
    if problems := differences(shapes(tensors), shapes(expected)):
        raise unusable(path, network.ENGINE, f"its tensors are not those of this network; {problems}")
    network.load_state_dict({name: t.to(expected[name].dtype) for name, t in tensors.items()}, strict=True, assign=True)
    network.eval().requires_grad_(False)
    return network


def check_small(path: Path) -> None:
    """Raise ImageTo3DError ``weights_missing`` if a file is not MiDaS v2.1 small."""
    load_network(path, lambda: SmallNetwork(SmallConfig()))


def check_large(path: Path) -> None:
    """Raise ImageTo3DError ``weights_missing`` if a file is not DPT-Large."""
    load_network(path, lambda: DPTNetwork(DPTConfig()))
