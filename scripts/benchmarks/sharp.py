"""SHARP: time of each stage and peak memory; and how much faster what follows the network is than in the published code.

The network runs on the checkpoint of this machine, or on random weights of the published size where there is none. The published
way of post-processing is timed beside ours in the same run: covariances composed and transformed in float32, singular value
decomposition in float64 on the CPU, determinants, quaternions of matrices, and a PLY table made from a list of tuples.
"""

from __future__ import annotations

import contextlib
import itertools
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from plyfile import PlyData, PlyElement

from image_to_3d.core import GaussianCloud, Grid, ImageTo3DError, Intrinsics
from image_to_3d.core.cloud import quaternion
from image_to_3d.core.imaging.colour import linear_to_srgb, rgb_to_sh0
from image_to_3d.engines import torch_runtime, weights
from image_to_3d.engines.base import EngineOptions
from image_to_3d.engines.sharp.composer import NdcGaussians
from image_to_3d.engines.sharp.config import SharpConfig
from image_to_3d.engines.sharp.decoder import ResidualBlock
from image_to_3d.engines.sharp.encoder import make_vit
from image_to_3d.engines.sharp.engine import SharpEngine
from image_to_3d.engines.sharp.network import SharpNetwork
from image_to_3d.engines.sharp.unprojection import unproject
from image_to_3d.io.photo import load_photo
from image_to_3d.io.ply import PROPERTIES, write_ply

T = TypeVar("T")

GAUSSIANS = 2 * 768 * 768
REPEATS = 3
PHOTO = Path(__file__).resolve().parents[2] / "tests" / "data" / "living_a" / "photo.jpg"


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """Seconds and result of one call."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def peak_memory_gb() -> float:
    """Of this process so far, in main memory."""
    import psutil

    info = psutil.Process().memory_info()
    if hasattr(info, "peak_wset"):
        return float(info.peak_wset) / 1e9
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def random_gaussians() -> NdcGaussians:
    """As many as SHARP makes, of shapes from flat to round."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    means = normal(3, GAUSSIANS)
    means[2] = means[2].abs() + 1
    scales = torch.exp(normal(3, GAUSSIANS) * 0.8 - 5)
    return NdcGaussians(
        means,
        scales,
        normal(4, GAUSSIANS),
        torch.rand(3, GAUSSIANS, generator=generator),
        torch.sigmoid(normal(GAUSSIANS)),
    )


def published_unprojection(
    gaussians: NdcGaussians, intrinsics: Intrinsics
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Positions, singular values, quaternions as the published code computes them."""
    transform = torch.diag(
        torch.tensor([intrinsics.width / (2 * intrinsics.fx), intrinsics.height / (2 * intrinsics.fy), 1.0])
    )
    q = torch.nn.functional.normalize(gaussians.quaternions.T.contiguous(), dim=-1)
    w, v = q[:, 0, None, None], q[:, 1:]
    zero = torch.zeros(len(v))
    cross = torch.stack([zero, -v[:, 2], v[:, 1], v[:, 2], zero, -v[:, 0], -v[:, 1], v[:, 0], zero], dim=-1).reshape(
        -1, 3, 3
    )
    rotation = v[:, :, None] * v[:, None] + w**2 * torch.eye(3) + 2 * w * cross + cross @ cross
    covariance = rotation @ torch.diag_embed(gaussians.scales.T**2) @ rotation.transpose(1, 2)
    covariance = transform @ covariance @ transform.T
    u, s, _ = torch.linalg.svd(covariance.double())
    u[torch.linalg.det(u) < 0, :, 2] *= -1
    return gaussians.means.T @ transform.T, s.sqrt().float(), _quaternions(u.numpy())


def _quaternions(rotations: np.ndarray) -> torch.Tensor:
    """By scipy where it is installed, as published."""
    try:
        from scipy.spatial.transform import Rotation
    except ImportError:
        return torch.from_numpy(quaternion.from_matrix(rotations)).float()
    return torch.from_numpy(Rotation.from_matrix(rotations).as_quat()[:, [3, 0, 1, 2]]).float()


def published_ply(path: Path, cloud: GaussianCloud) -> None:
    """The vertex table through a list of tuples."""
    table = np.concatenate(
        [
            cloud.positions,
            rgb_to_sh0(linear_to_srgb(cloud.colours)),
            np.log(cloud.opacities / (1 - cloud.opacities))[:, None],
            np.log(cloud.scales),
            cloud.rotations,
        ],
        axis=1,
    )
    vertex = np.empty(len(table), dtype=[(name, "f4") for name in PROPERTIES])
    vertex[:] = list(map(tuple, table))
    PlyData([PlyElement.describe(vertex, "vertex")]).write(str(path))


def postprocessing() -> list[dict[str, Any]]:
    """After the network, on the CPU: the published way and ours, alternating; medians."""
    gaussians, intrinsics = random_gaussians(), Intrinsics.centred(600.0, 640, 480)
    seconds: dict[str, list[float]] = {}

    def measure(name: str, work: Callable[[], T]) -> T:
        duration, result = timed(work)
        seconds.setdefault(name, []).append(duration)
        return result

    def make_cloud() -> GaussianCloud:
        metric = unproject(gaussians, intrinsics)
        return GaussianCloud(
            metric.positions.numpy(),
            metric.scales.numpy(),
            metric.rotations.numpy(),
            gaussians.colours.T.contiguous().numpy(),
            gaussians.opacities.numpy(),
            intrinsics,
            Grid(2, 768, 768),
        )

    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        for _ in range(REPEATS):
            measure("published unprojection", lambda: published_unprojection(gaussians, intrinsics))
            cloud = measure("unprojection", make_cloud)
            measure("published ply", partial(published_ply, Path(folder) / "published.ply", cloud))
            measure("ply", partial(write_ply, Path(folder) / "ours.ply", cloud))
    median = {name: float(np.median(values)) for name, values in seconds.items()}
    median["both"] = median["unprojection"] + median["ply"]
    median["published both"] = median["published unprojection"] + median["published ply"]
    labels = {"unprojection": "unprojection to cloud", "ply": "writing the PLY", "both": "both"}
    return [
        {
            "after the network": f"{label}, {GAUSSIANS:,} Gaussians",
            "published s": round(median[f"published {name}"], 3),
            "ours s": round(median[name], 3),
            "times faster": round(median[f"published {name}"] / median[name], 1),
        }
        for name, label in labels.items()
    ]


def kernels() -> list[dict[str, Any]]:
    """What the network's arithmetic gains on a CPU: a ViT block on five crops, a residual block on a 384 × 384 map."""
    config = SharpConfig()
    vit = make_vit(config.vit)
    block = vit.blocks[0].eval()
    tokens = torch.randn(5, config.vit.grid**2 + 1, config.vit.width)
    residual = ResidualBlock(256).eval()
    image = torch.randn(1, 256, 384, 384)
    rows = []
    with torch_runtime.inference(torch.device("cpu")):
        plain_block = [timed(lambda: block(tokens))[0] for _ in range(REPEATS)]
        torch_runtime.use_onednn_linear(block)
        fast_block = [timed(lambda: block(tokens))[0] for _ in range(REPEATS)]
        plain, last = [], []
        for _ in range(REPEATS):
            residual.to(memory_format=torch.contiguous_format)
            plain.append(timed(lambda: residual.residual(image) + image)[0])
            residual.to(memory_format=torch.channels_last)
            channels_last = image.contiguous(memory_format=torch.channels_last)
            last.append(timed(lambda x=channels_last: residual(x))[0])
    for name, before, after in (
        ("ViT block, linear layers by oneDNN", plain_block, fast_block),
        ("residual block, channels last, in bands", plain, last),
    ):
        rows.append(
            {
                "kernels on the CPU": name,
                "plain torch s": round(min(before), 3),
                "ours s": round(min(after), 3),
                "times faster": round(min(before) / min(after), 2),
            }
        )
    return rows


@contextlib.contextmanager
def checkpoint() -> Iterator[tuple[str, str]]:
    """A checkpoint of the published size and what it is."""
    try:
        yield str(weights.require("sharp").path), "the checkpoint of this machine"
        return
    except ImageTo3DError:
        pass
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "random.pt"
        torch.save(random_weights(), path)
        yield str(path), "random weights"


def random_weights() -> dict[str, torch.Tensor]:
    """Weights of the published size under which activations neither vanish nor explode and every disparity is positive."""
    generator = torch.Generator().manual_seed(0)
    tensors = SharpNetwork(SharpConfig()).state_dict()
    for name, values in tensors.items():
        if name.endswith("monodepth_predictor.head.4.bias"):
            values.fill_(0.4)
        elif name.endswith("monodepth_predictor.head.4.weight"):
            values.normal_(0, 0.05 / values.shape[1] ** 0.5, generator=generator)
        elif name.endswith(".bias"):
            values.zero_()
        elif name.endswith(".gamma"):
            values.fill_(0.2)
        elif values.ndim == 1:
            values.fill_(1.0)
        else:
            inputs = values.shape[0] if values.shape[2:] == (2, 2) else values[0].numel()
            values.normal_(0, inputs**-0.5, generator=generator)
    return tensors


def network() -> list[dict[str, Any]]:
    """A photo through the engine, cold and warm (warm only on a graphics card: a CPU needs minutes)."""
    photo = load_photo(PHOTO)
    rows = []
    with checkpoint() as (path, origin):
        engine = SharpEngine(EngineOptions(checkpoint=path))
        for state in ("cold", "warm") if engine.device.type != "cpu" else ("cold",):
            marks = [("", time.perf_counter())]

            def mark(stage: str, fraction: float, marks: list[tuple[str, float]] = marks) -> None:
                torch_runtime.synchronise(engine.device)
                marks.append((stage, time.perf_counter()))

            prediction = engine.predict(photo, progress=mark)
            stages: dict[str, float] = {}
            for (_, before), (stage, after) in itertools.pairwise(marks):
                stages[stage] = stages.get(stage, 0.0) + after - before
            row: dict[str, Any] = {
                "network": f"{state}, {origin}",
                "device": prediction.device,
                "precision": prediction.precision,
            }
            row |= {f"{name} s": round(value, 3) for name, value in prediction.seconds.items()}
            row |= {f"{name} s": round(stages[name], 3) for name in ("encoder", "depth", "gaussians")}
            row["peak memory GB"] = round(peak_memory_gb(), 2)
            if engine.device.type == "cuda":
                row["peak GPU memory GB"] = round(torch.cuda.max_memory_allocated() / 1e9, 2)
            rows.append(row)
    return rows


def run() -> list[dict[str, Any]]:
    """Rows of figures; see the module's text. The network comes first, for its peak memory to be its own."""
    return [*network(), *kernels(), *postprocessing()]
