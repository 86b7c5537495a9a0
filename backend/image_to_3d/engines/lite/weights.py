"""The weights file: arrays in half precision in an .npz, without pickle, with the sizes of the network as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from ...core.errors import ErrorCode, ImageTo3DError
from ...io.atomic import atomic_open
from .network import LiteConfig, LiteNetwork

PACKAGED = Path(__file__).with_name("weights.npz")
"""What comes with the package."""


def save_weights(path: str | Path, network: LiteNetwork) -> None:
    """Write a network's parameters and statistics as float16.

    Raises:
        ImageTo3DError: ``engine_failed`` if the file cannot be written.
    """
    state = network.state_dict()
    arrays = {k: v.float().numpy().astype(np.float16) for k, v in state.items() if "num_batches" not in k}
    config = np.frombuffer(json.dumps(network.config.as_dict()).encode(), np.uint8)
    with atomic_open(path) as stream:
        np.savez_compressed(stream, config=config, **arrays)


def load_network(path: str | Path | None = None) -> LiteNetwork:
    """The network of a weights file (the packaged one by default), float32, in evaluation mode.

    Raises:
        ImageTo3DError: ``weights_missing`` if there is no such file, ``engine_failed`` if it is not a weights file of this engine.
    """
    path = Path(path) if path else PACKAGED
    if not path.is_file():
        raise ImageTo3DError(ErrorCode.WEIGHTS_MISSING, "weights.built_in_missing", path=path)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            config = json.loads(arrays["config"].tobytes())
            config["decoder"] = tuple(config["decoder"])
            network = LiteNetwork(LiteConfig(**config))
            state = {k: torch.from_numpy(arrays[k].astype(np.float32)) for k in arrays.files if k != "config"}
        missing, unexpected = network.load_state_dict(state, strict=False)
        wrong = [k for k in missing if "num_batches" not in k] + list(unexpected)
    except Exception as error:  # zip, JSON, shapes: whatever is wrong, the file is damaged or of another version
        raise ImageTo3DError(ErrorCode.ENGINE_FAILED, "weights.built_in_unreadable", path=path, why=error) from error
    if wrong:
        raise ImageTo3DError(ErrorCode.ENGINE_FAILED, "weights.built_in_tensors_wrong", path=path, wrong=wrong[0])
    return network.eval()
