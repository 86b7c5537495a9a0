"""How long depth engines take per photo, stage by stage, with weights that are there or made up."""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from image_to_3d.core.errors import ImageTo3DError
from image_to_3d.engines import weights
from image_to_3d.engines.base import EngineOptions
from image_to_3d.engines.midas.config import DPTConfig, SmallConfig
from image_to_3d.engines.midas.engine import DPTLargeEngine, MidasSmallEngine
from image_to_3d.engines.midas.network_dpt import DPTNetwork
from image_to_3d.engines.midas.network_small import SmallNetwork
from image_to_3d.io.photo import load_photo

SAMPLE = Path(__file__).resolve().parents[2] / "tests" / "data" / "living_a"
ROUNDS = 7


def _checkpoint(name: str, folder: Path) -> Path:
    """The published weights if they are here; else a network as torch initialises it, which takes as long."""
    try:
        found = weights.find(name)
    except ImageTo3DError:
        found = None
    if found is not None:
        return found.path
    torch.manual_seed(0)
    network = SmallNetwork(SmallConfig()) if name == "midas-small" else DPTNetwork(DPTConfig())
    path = folder / f"{name}.pt"
    torch.save(network.state_dict(), path)
    return path


def run(args: argparse.Namespace | None = None) -> list[dict[str, Any]]:
    """Rows with ``name`` and ``seconds`` (median of several runs).

    Args:
        args: all optional: ``quick`` leaves DPT-Large out; ``device`` and ``threads``.
    """
    threads = getattr(args, "threads", None)
    if threads:
        torch.set_num_threads(threads)
    device = getattr(args, "device", None) or "auto"
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        engines = [MidasSmallEngine] if getattr(args, "quick", False) else [MidasSmallEngine, DPTLargeEngine]
        for kind in engines:
            checkpoint = _checkpoint(kind.info.name, Path(folder))
            rows += _engine_rows(kind, EngineOptions(device, "auto", str(checkpoint)))
    return rows


def _engine_rows(kind: type[MidasSmallEngine] | type[DPTLargeEngine], options: EngineOptions) -> list[dict[str, Any]]:
    engine = kind(options)
    start = time.perf_counter()
    network = engine.load()
    rows = [_row(kind.info.name, engine, "load", [time.perf_counter() - start])]
    size = network.config.preprocessing.resolution
    image = torch.zeros(1, 3, size, size, device=engine.device, dtype=next(network.parameters()).dtype)
    rounds = ROUNDS if kind is MidasSmallEngine else 2

    def forward() -> float:
        begin = time.perf_counter()
        with torch.inference_mode():
            network(image, lambda fraction: None)[0].float().cpu()
        return time.perf_counter() - begin

    forward()
    rows.append(_row(kind.info.name, engine, f"forward {size}×{size}", [forward() for _ in range(rounds)]))
    photo = load_photo(SAMPLE / "photo.jpg")
    stages: dict[str, list[float]] = {}
    for _ in range(max(2, rounds // 2)):
        for stage, seconds in engine.predict(photo).seconds.items():
            stages.setdefault(stage, []).append(seconds)
    what = f"photo {photo.width}×{photo.height}"
    rows += [_row(kind.info.name, engine, f"{what}: {s}", times) for s, times in stages.items() if s != "load"]
    return rows


def _row(name: str, engine: MidasSmallEngine | DPTLargeEngine, what: str, times: list[float]) -> dict[str, Any]:
    return {
        "name": f"{name} {what}",
        "seconds": round(statistics.median(times), 4),
        "best": round(float(np.min(times)), 4),
        "device": str(engine.device),
        "precision": engine.precision,
        "threads": torch.get_num_threads(),
    }
