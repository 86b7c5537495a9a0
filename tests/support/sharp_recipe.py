"""SHARP networks with weights made from their names: small checkpoints for tests, without a download.

The recipe is that of the reference tensors: every weight is a hash of its tensor's name and its index, so the same network can
be built anywhere.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from image_to_3d.engines.sharp.config import SharpConfig, ViTConfig
from image_to_3d.engines.sharp.state_dict import expected_shapes

MICRO = SharpConfig(
    vit=ViTConfig(grid=2, width=32, depth=4, heads=2, mlp_width=128),
    encoder_dims=(16, 24, 32, 40, 48),
    monodepth_dims=(16,) * 5,
    disparity_dims=(8, 32),
    gaussian_dims=(32,) * 5,
    head_hidden=16,
    head_dim=8,
)
MINI = SharpConfig(
    vit=ViTConfig(grid=8, width=64, depth=8, heads=4, mlp_width=256),
    encoder_dims=(24, 32, 48, 64, 80),
    monodepth_dims=(24,) * 5,
    disparity_dims=(12, 32),
    gaussian_dims=(32,) * 5,
    head_hidden=16,
    head_dim=16,
)
THIN1536 = replace(MINI, vit=replace(MINI.vit, grid=24))
FULL = SharpConfig()

_PIECE = 1 << 20


def splitmix64(counter: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Finaliser of splitmix64 (Steele et al., 2014) on counter · golden ratio, modulo 2⁶⁴."""
    z = counter * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def standard_normal(name: str, count: int) -> NDArray[np.float64]:
    """Nearly normal numbers (Irwin–Hall of four 16-bit lanes), the same for the same name everywhere."""
    seed = np.uint64(zlib.crc32(name.encode()) << 32)
    out = np.empty(count)
    for start in range(0, count, _PIECE):
        stop = min(start + _PIECE, count)
        lanes = splitmix64(seed + np.arange(start, stop, dtype=np.uint64)).view(np.uint16).reshape(-1, 4)
        out[start:stop] = (lanes.astype(np.int64).sum(axis=1) - 131070) / 37837.0
    return out


def _mean_and_deviation(name: str, shape: tuple[int, ...]) -> tuple[float, float]:
    fan_in = float(np.prod(shape[1:], dtype=np.int64))
    rules: list[tuple[Callable[[], bool], float, Callable[[], float]]] = [
        (lambda: name.endswith("monodepth_predictor.head.4.weight"), 0.0, lambda: 0.05 / shape[1] ** 0.5),
        (lambda: name.endswith("monodepth_predictor.head.4.bias"), 0.4, lambda: 0.05),
        (lambda: name.endswith("geometry_prediction_head.weight"), 0.0, lambda: 8.0 / shape[1] ** 0.5),
        (lambda: name.endswith("texture_prediction_head.weight"), 0.0, lambda: 1.0 / shape[1] ** 0.5),
        (lambda: name.endswith(("pos_embed", "cls_token")), 0.0, lambda: 0.2),
        (lambda: name.endswith(".gamma"), 0.2, lambda: 0.05),
        (lambda: name.endswith(".bias"), 0.0, lambda: 0.02),
        (lambda: len(shape) == 1, 1.0, lambda: 0.05),
        (lambda: shape[2:] == (2, 2), 0.0, lambda: 1.0 / shape[0] ** 0.5),
        (lambda: True, 0.0, lambda: 1.0 / fan_in**0.5),
    ]
    return next((mean, deviation()) for fits, mean, deviation in rules if fits())


def make_tensor(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """The weights of one tensor, float32."""
    mean, deviation = _mean_and_deviation(name, shape)
    count = int(np.prod(shape, dtype=np.int64))
    return torch.from_numpy((mean + deviation * standard_normal(name, count)).astype(np.float32).reshape(shape))


def make_state_dict(config: SharpConfig) -> dict[str, torch.Tensor]:
    """All tensors that inference needs."""
    return {name: make_tensor(name, shape) for name, shape in expected_shapes(config).items()}


def write_checkpoint(path: Path, config: SharpConfig = MICRO) -> Path:
    """A checkpoint file as the published one is made: a flat state dict."""
    torch.save(make_state_dict(config), path)
    return path


def stress(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Overrides that bring every epsilon and clamp of the network to light (see ``mini_config.md`` of the reference tensors)."""
    tiny = ("patch_embed.proj.weight", "patch_embed.proj.bias", "pos_embed", "cls_token", ".gamma")
    out = {
        name: tensor * 2.0**-10 if name.endswith(tiny) or name.startswith("feature_model.fusion.out_conv.") else tensor
        for name, tensor in tensors.items()
    }
    head = "monodepth_model.monodepth_predictor.head.4"
    out[f"{head}.weight"] = out[f"{head}.weight"].flip(0)
    out[f"{head}.bias"] = torch.tensor([0.02, 0.06])
    return out
