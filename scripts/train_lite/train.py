"""Train the network of the engine `lite`.

    PYTHONPATH=backend:scripts python -m train_lite.dataset --first 0 &       # renders; several with --first i --stride n
    PYTHONPATH=backend:scripts python -m train_lite.train --minutes 75        # trains on whatever is there already

A run continues from its checkpoint, so it can be stopped and started at any time. With ``--steps`` its schedule is a function
of the step alone; with ``--minutes`` it follows the clock (time that the run was really on). CUDA is used if present.

On a busy CPU several processes of one thread do more than one of several: with ``RANK=i WORLD_SIZE=n MASTER_ADDR=localhost
MASTER_PORT=…`` in the environment, n processes train apart and average their parameters every few steps (local SGD, Stich 2019).
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import os
import queue
import threading
import time
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import functional

from image_to_3d.engines.lite.network import LiteConfig, LiteNetwork, ray_grid
from image_to_3d.engines.lite.weights import load_network, save_weights

from . import dataset
from .muon import Muon

CONFIG = LiteConfig(stem=24, quarter=48, eighth=96, tokens=256, blocks=6, heads=8, decoder=(96, 48))
FAR_TARGET = 150.0
"""Metres: whatever is farther is trained as if it were here."""


def snap(width: int, height: int, scale: float) -> tuple[int, int]:
    """A size scaled and rounded to multiples of the network's stride."""
    return max(32, round(width * scale / 16) * 16), max(32, round(height * scale / 16) * 16)


Shard = dict[str, np.ndarray]


def read_shard(path: Path) -> Shard:
    """The arrays of a file of :func:`dataset.write_shard`."""
    with np.load(path) as arrays:
        return {name: arrays[name] for name in arrays.files}


def make_batch(shard: Shard, size: int, scale: float, rng: np.random.Generator) -> dict[str, Tensor]:
    """Examples of one shard, cropped, mirrored and resized together.

    Returns:
        ``photo`` (B, 3, H, W) in [0, 1], ``depth`` (B, H, W) metres (infinite = sky), and (B,) ``fx fy cx cy`` in pixels and
        ``f_norm`` = focal length / diagonal.
    """
    pick = rng.choice(len(shard["focal"]), size, replace=False)
    photos, codes, focal = shard["photos"][pick], shard["depth"][pick], shard["focal"][pick]
    height, width = codes.shape[1:]
    crop = rng.uniform(0.7, 1.0) if rng.random() < 0.4 else 1.0
    h, w = round(height * crop), round(width * crop)
    y0, x0 = rng.integers(height - h + 1), rng.integers(width - w + 1)
    tw, th = snap(width, height, scale)
    photo = (
        torch.from_numpy(np.ascontiguousarray(photos[:, y0 : y0 + h, x0 : x0 + w])).permute(0, 3, 1, 2).float() / 255
    )
    depth = torch.from_numpy(dataset.decode_depth(codes[:, y0 : y0 + h, x0 : x0 + w]))
    if (th, tw) != (h, w):
        photo = functional.interpolate(photo, (th, tw), mode="bilinear", antialias=tw < w)
        depth = functional.interpolate(depth[:, None], (th, tw), mode="nearest-exact")[:, 0]
    f = torch.from_numpy(focal)
    batch = {
        "fx": f * (tw / w), "fy": f * (th / h), "f_norm": f / math.hypot(w, h),
        "cx": torch.full((size,), (width / 2 - x0) * tw / w), "cy": torch.full((size,), (height / 2 - y0) * th / h),
    }  # fmt: skip
    if rng.random() < 0.5:
        photo, depth, batch["cx"] = photo.flip(3), depth.flip(2), tw - batch["cx"]
    batch["photo"], batch["depth"] = photo, depth
    return batch


def recolour(photo: Tensor) -> Tensor:
    """Other light and another camera: gains, gamma, contrast, saturation, noise, per picture."""
    n = len(photo)

    def draw(sd: float, channels: int = 1) -> Tensor:
        return torch.exp(torch.randn(n, channels, 1, 1) * sd)

    p = photo.clamp(1e-3, 1) ** draw(0.2) * draw(0.06, 3) * draw(0.08)
    mean = p.mean((1, 2, 3), keepdim=True)
    p = mean + (p - mean) * draw(0.12)
    grey = p.mean(1, keepdim=True)
    p = grey + (p - grey) * draw(0.25) * (torch.rand(n, 1, 1, 1) > 0.03)
    return (p + torch.randn_like(p) * 0.02 * torch.rand(n, 1, 1, 1) ** 2).clamp(0, 1)


def losses(log_depth: Tensor, log_error: Tensor, sky: Tensor, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Metric, scale-invariant and gradient errors of the logarithm of depth, likelihood of the error, and sky."""
    depth = batch["depth"]
    seen = torch.isfinite(depth)
    target = torch.log(depth.clamp(max=FAR_TARGET)) - torch.log(batch["f_norm"])[:, None, None]
    weight = seen * torch.where(depth > 40, 0.3, 1.0)
    total = weight.sum((1, 2)).clamp(min=1)
    e = torch.where(seen, log_depth - target, torch.zeros(()))
    shift = (e * weight).sum((1, 2), keepdim=True) / total[:, None, None]
    absolute = e.abs()
    out = {
        "metric": ((absolute * weight).sum((1, 2)) / total).mean(),
        "shape": (((e - shift).abs() * weight).sum((1, 2)) / total).mean(),
    }
    gradient = torch.zeros((), device=e.device)
    g, m = e, weight * (depth < 40)
    for level in range(4):
        for axis in (1, 2):
            both = m.narrow(axis, 1, m.shape[axis] - 1) * m.narrow(axis, 0, m.shape[axis] - 1)
            gradient = gradient + (g.diff(dim=axis).abs() * both).sum() / both.sum().clamp(min=1)
        if level < 3:
            g, m = g[:, ::2, ::2], m[:, ::2, ::2]
    out["gradient"] = gradient
    out["likelihood"] = ((absolute.detach() / log_error.exp() + log_error) * weight).sum() / weight.sum().clamp(min=1)
    out["sky"] = functional.binary_cross_entropy_with_logits(sky, (~seen).float())
    return out


WEIGHTS = {"metric": 1.0, "shape": 1.0, "gradient": 0.1, "likelihood": 0.05, "sky": 0.2}


def aligned_and_metric(predicted: Tensor, depth: Tensor, limit: float = 80.0) -> tuple[float, float, float]:
    """(AbsRel, δ < 1.25, AbsRel after scaling by the ratio of medians) of one picture, for depths up to ``limit`` metres."""
    ok = torch.isfinite(depth) & (depth > 0) & (depth <= limit)
    p, z = predicted[ok], depth[ok]
    scaled = p * (z.median() / p.median())
    ratio = torch.maximum(p / z, z / p)
    return (
        float(((p - z).abs() / z).mean()),
        float((ratio < 1.25).float().mean()),
        float(((scaled - z).abs() / z).mean()),
    )


def held_out(count: int, width: int, height: int, cache: Path) -> dict[str, Tensor]:
    """Scenes of seeds that are never trained on, rendered once."""
    if not cache.exists():
        rows = [dataset.example(seed, width, height) for seed in range(count)]
        cache.parent.mkdir(parents=True, exist_ok=True)
        np.savez(cache, photos=np.stack([r[0] for r in rows]), depth=np.stack([r[1] for r in rows]),
                 focal=np.array([r[2] for r in rows], np.float32))  # fmt: skip
    with np.load(cache) as arrays:
        photo = torch.from_numpy(arrays["photos"]).permute(0, 3, 1, 2).float() / 255
        return {"photo": photo, "depth": torch.from_numpy(arrays["depth"]), "focal": torch.from_numpy(arrays["focal"])}


@torch.no_grad()
def validate(network: LiteNetwork, data: dict[str, Tensor], scale: float, device: str) -> dict[str, float]:
    """Mean errors over held-out scenes."""
    network.eval()
    height, width = data["depth"].shape[1:]
    tw, th = snap(width, height, scale)
    rows = []
    for i in range(0, len(data["focal"]), 16):
        f = data["focal"][i : i + 16]
        photo = functional.interpolate(data["photo"][i : i + 16], (th, tw), mode="bilinear", antialias=tw < width)
        n = len(f)
        rays = ray_grid(f * tw / width, f * th / height, torch.full((n,), tw / 2), torch.full((n,), th / 2), th, tw)
        with torch.autocast(device.split(":")[0], torch.bfloat16):
            log_depth = network(photo.to(device), rays.to(device))[0].cpu()
        z = torch.exp(log_depth) * (f / math.hypot(width, height))[:, None, None]
        z = functional.interpolate(z[:, None], (height, width), mode="bilinear")[:, 0]
        rows += [aligned_and_metric(p, d) for p, d in zip(z, data["depth"][i : i + 16], strict=True)]
    network.train()
    mean = np.mean(rows, axis=0)
    return {"abs_rel": mean[0], "delta_1.25": mean[1], "aligned_abs_rel": mean[2]}


SCALES = ((0.625, 0.75), (0.8125, 0.25))
"""(scale of the pictures of a batch, how often): layout is learned from small ones, which are cheap."""
LOOK_AT = 0.8125
"""Scale at which the network is checked."""
AVERAGE_EVERY = 12
"""Steps between averages of the processes' parameters."""


@torch.no_grad()
def average_processes(network: LiteNetwork, elapsed: float) -> float:
    """Make all processes' parameters their mean; returns the first process's elapsed time."""
    values = [v for v in network.state_dict().values() if v.dtype.is_floating_point]
    flat = torch.cat([v.flatten() for v in values] + [torch.tensor([elapsed if dist.get_rank() == 0 else 0.0])])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    start = 0
    for v in values:
        v.copy_(flat[start : start + v.numel()].view_as(v))
        start += v.numel()
    return float(flat[-1]) * dist.get_world_size()


class Loader:
    """Reads batches in a thread, from the shards that are there at the time."""

    def __init__(self, folder: Path, size: int, seed: int) -> None:
        self.folder, self.size = folder, size
        self.scales, self.shares = zip(*SCALES, strict=True)
        self.rng = np.random.default_rng(seed)
        self.queue: queue.Queue[dict[str, Tensor]] = queue.Queue(3)
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        """Batches come from a few shards in memory, of which one is exchanged after every few batches."""
        held: list[Shard] = []
        for i in range(1 << 60):
            if i % 4 == 0:
                paths = sorted(self.folder.glob("shard_*.npz"))
                held = [*held[-7:], read_shard(paths[self.rng.integers(len(paths))])]
            shard = held[self.rng.integers(len(held))]
            scale = self.scales[self.rng.choice(len(self.scales), p=self.shares)]
            self.queue.put(make_batch(shard, self.size, scale, self.rng))

    def get(self) -> dict[str, Tensor]:
        """The next batch."""
        return self.queue.get()


def make_optimizers(network: LiteNetwork, name: str) -> list[torch.optim.Optimizer]:
    """Muon for the matrices between the first and the last layers (or AdamW for all), AdamW for the rest."""
    ends = ("stem", "place", "guess", "head", "weigh")
    named = list(network.named_parameters())
    inner = [p for k, p in named if p.ndim > 1 and name == "muon" and k.split(".")[0] not in ends]
    chosen = {id(p) for p in inner}
    decayed = [p for _, p in named if p.ndim > 1 and id(p) not in chosen]
    rest = [p for _, p in named if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": 0.03}, {"params": rest, "weight_decay": 0.0}]
    optimizers: list[torch.optim.Optimizer] = [torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.98), fused=True)]
    if inner:
        optimizers.append(Muon(inner, lr=0.0, weight_decay=0.03))
    return optimizers


def main() -> None:
    """Train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=Path, default=Path("build/train_lite/shards"))
    parser.add_argument("--run", type=Path, default=Path("build/train_lite/run"), help="checkpoint and weights")
    parser.add_argument("--log", type=Path, default=Path("scripts/train_lite/log.jsonl"))
    parser.add_argument("--init", type=Path, help="weights to begin a new run with, such as the packaged ones")
    parser.add_argument("--minutes", type=float, help="length of the run by the clock")
    parser.add_argument("--steps", type=int, default=200_000, help="length of the run in steps, without --minutes")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=1e-3, help="highest learning rate")
    parser.add_argument("--warm-up", type=int, default=300, help="steps until the highest learning rate")
    parser.add_argument("--optimizer", choices=("muon", "adamw"), default="muon")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    processes, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    if processes > 1:
        dist.init_process_group("gloo")
    torch.manual_seed(arguments.seed + 1000 * rank)
    torch.set_num_threads(arguments.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = LiteNetwork(CONFIG).to(device, memory_format=torch.channels_last)
    if arguments.init:
        network.load_state_dict(load_network(arguments.init).state_dict())
    average = copy.deepcopy(network)
    optimizers = make_optimizers(network, arguments.optimizer)
    step, elapsed, pictures = 0, 0.0, 0
    checkpoint = arguments.run / "checkpoint.pt"
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True, map_location=device)
        network.load_state_dict(saved["network"])
        average.load_state_dict(saved["average"])
        for optimizer, state in zip(optimizers, saved["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        step, elapsed, pictures = saved["step"], saved["elapsed"], saved["pictures"]
    held = held_out(96, 176, 128, arguments.run / "held_out.npz")
    loader = Loader(arguments.shards, arguments.batch, arguments.seed + step + 1_000_003 * rank)
    sums: dict[str, float] = {}
    counted = 0
    last, last_report = time.perf_counter(), elapsed
    while True:
        together = processes > 1 and step % AVERAGE_EVERY == 0
        if together:
            elapsed = average_processes(network, elapsed)
        progress = elapsed / (60 * arguments.minutes) if arguments.minutes else step / arguments.steps
        if progress >= 1 and (together or processes == 1):
            break
        rate = (
            arguments.rate
            * min(1.0, (step + 1) / arguments.warm_up)
            * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(progress, 1))))
        )
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
        batch = loader.get()
        batch["photo"] = recolour(batch["photo"]).contiguous(memory_format=torch.channels_last)
        batch = {k: v.to(device) for k, v in batch.items()}
        height, width = batch["depth"].shape[1:]
        rays = ray_grid(batch["fx"], batch["fy"], batch["cx"], batch["cy"], height, width)
        with torch.autocast(device, torch.bfloat16):
            outputs = network(batch["photo"], rays)
        parts = losses(*outputs, batch)
        loss = sum(WEIGHTS[k] * v for k, v in parts.items())
        network.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        if torch.isfinite(norm):
            for optimizer in optimizers:
                optimizer.step()
        decay = min(0.998, (1 + step) / (10 + step))
        with torch.no_grad():
            for a, b in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
                if a.dtype.is_floating_point:
                    a.lerp_(b, 1 - decay)
        step += 1
        pictures += len(rays) * processes
        counted += 1
        for k, v in parts.items():
            sums[k] = sums.get(k, 0.0) + v.item()
        now = time.perf_counter()
        elapsed, last = elapsed + now - last, now
        if rank == 0 and (elapsed - last_report > 240 or step == 200):
            row = {"step": step, "pictures": pictures, "minutes": elapsed / 60, "rate": rate,
                   "shards": len(list(arguments.shards.glob("shard_*.npz"))),
                   **{k: v / counted for k, v in sums.items()}, **validate(average, held, LOOK_AT, device)}  # fmt: skip
            row = {k: round(v, 6) if isinstance(v, float) else v for k, v in row.items()}
            with arguments.log.open("a") as stream:
                stream.write(json.dumps(row) + "\n")
            print(json.dumps(row), flush=True)
            sums, counted, last_report = {}, 0, elapsed
            _save(arguments.run, network, average, optimizers, step, elapsed, pictures)
    if rank > 0:
        return
    _save(arguments.run, network, average, optimizers, step, elapsed, pictures)
    print("done", json.dumps(validate(average, held, LOOK_AT, device)))


def _save(
    run: Path, network: LiteNetwork, average: LiteNetwork, optimizers: list[torch.optim.Optimizer], step: int,
    elapsed: float, pictures: int,
) -> None:  # fmt: skip
    run.mkdir(parents=True, exist_ok=True)
    partial = run / "checkpoint.partial"
    torch.save(
        {"network": network.state_dict(), "average": average.state_dict(), "optimizers": [o.state_dict() for o in optimizers],
         "step": step, "elapsed": elapsed, "pictures": pictures},
        partial,
    )  # fmt: skip
    partial.replace(run / "checkpoint.pt")
    save_weights(run / "weights.npz", average.cpu() if next(average.parameters()).is_cuda else average)
    average.to(next(network.parameters()).device)


if __name__ == "__main__":
    main()
