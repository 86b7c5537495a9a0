"""The SHARP network gives the numbers of the published one, on weights made by recipe.

The reference tensors lie outside the repository; without them these tests are skipped. Tolerances: what the published code
itself deviates by between two sets of kernels, for the largest network.
"""

from __future__ import annotations

import json
import zlib
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from image_to_3d.core.cameras.intrinsics import focal_from_px
from image_to_3d.engines.base import EngineOptions
from image_to_3d.engines.sharp.config import SharpConfig
from image_to_3d.engines.sharp.engine import SharpEngine
from image_to_3d.engines.sharp.network import NetworkOutput
from image_to_3d.engines.sharp.state_dict import check_shapes, is_unused
from image_to_3d.io.photo import Photo
from paths import SHARED
from sharp_recipe import FULL, MICRO, MINI, THIN1536, make_state_dict, make_tensor, splitmix64, stress

GOLDEN = SHARED / "golden" / "sharp"
pytestmark = pytest.mark.skipif(not GOLDEN.is_dir(), reason="the reference tensors are not beside the repository")

CASES = {
    "micro_landscape": (MICRO, 88.0),
    "micro_portrait": (MICRO, 71.25),
    "micro_stress": (MICRO, 0.097),
    "mini_landscape": (MINI, 280.0),
    "thin1536": (THIN1536, 310.0),
}


@cache
def run(case: str, folder: Path) -> tuple[dict[str, np.ndarray], NetworkOutput, object]:
    """Golden arrays, what the network gives, and the cloud of the engine."""
    config, focal_px = CASES[case]
    golden = dict(np.load(GOLDEN / f"{case}.npz"))
    tensors = make_state_dict(config)
    path = folder / f"{case}.pt"
    torch.save(stress(tensors) if case == "micro_stress" else tensors, path)
    engine = SharpEngine(EngineOptions("cpu", "fp32", str(path)))
    height, width = golden["image"].shape[:2]
    photo = Photo(golden["image"], focal_from_px(focal_px, width, height))
    outputs: list[NetworkOutput] = []
    engine.load().register_forward_hook(lambda module, args, output: outputs.append(output))
    cloud = engine.predict(photo).cloud
    return golden, outputs[0], cloud


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sharp")


def assert_close(found: np.ndarray, expected: np.ndarray, of_deviation: float) -> None:
    """Within a fraction of the reference's standard deviation."""
    worst = float(np.abs(found.astype(np.float64) - expected).max() / expected.std())
    assert worst < of_deviation, f"off by {worst:.2g} of a standard deviation, allowed {of_deviation:.2g}"


def six(matrices: np.ndarray) -> np.ndarray:
    return matrices[:, [0, 0, 0, 1, 1, 2], [0, 1, 2, 1, 2, 2]]


@pytest.mark.parametrize("case", CASES)
def test_disparity_and_refinements_are_the_published_ones(case: str, folder: Path) -> None:
    golden, output, _ = run(case, folder)
    disparity, delta = output.disparity.numpy(), output.delta.numpy()[None]
    step = disparity.shape[-1] // golden["disparity"].shape[-1]
    assert_close(disparity[..., ::step, ::step], golden["disparity"], 2e-5)
    step = delta.shape[-1] // golden["delta"].shape[-1]
    assert_close(delta[..., ::step, ::step], golden["delta"], 4e-5)
    assert float(output.depth_unit) == pytest.approx(float(golden["global_scale"][0]), rel=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_gaussians_are_the_published_ones(case: str, folder: Path) -> None:
    golden, output, cloud = run(case, folder)
    index = golden["indices"]
    # millimetres in front of the camera and clamped depths: 1 / (u + 0.001) there magnifies the last bit of float32
    depth_tolerance = 1e-3 if case == "micro_stress" else 2e-5
    assert_close(output.gaussians.quaternions.T.numpy()[index], golden["ndc_quaternions"], 3e-5)
    assert_close(cloud.positions[index], golden["final_mean_vectors"], depth_tolerance)
    assert_close(cloud.colours[index], golden["final_colors"], 4e-6)
    assert_close(cloud.opacities[index], golden["final_opacities"], 3e-5)


@pytest.mark.parametrize("case", CASES)
def test_covariances_are_the_published_ones(case: str, folder: Path) -> None:
    golden, _, cloud = run(case, folder)
    index = golden.get("covariance_indices", golden["indices"])
    expected = golden["final_covariance6"].astype(np.float64)
    trace = expected[:, [0, 3, 5]].sum(axis=1)
    error = np.abs(six(cloud.select(index).covariances()) - expected).max(axis=1) / trace
    assert error.max() < 2.9e-4
    assert np.quantile(error, 0.999) < 4e-5


@pytest.mark.parametrize("case", CASES)
def test_scales_come_sorted_with_unit_quaternions(case: str, folder: Path) -> None:
    _, _, cloud = run(case, folder)
    assert (np.diff(cloud.scales, axis=1) <= 0).all()
    assert np.abs(np.linalg.norm(cloud.rotations, axis=1) - 1).max() < 1e-6
    assert (cloud.rotations[:, 0] >= 0).all()


@pytest.mark.parametrize("config, manifest", [(FULL, ""), (MINI, "mini_"), (MICRO, "micro_"), (THIN1536, "thin1536_")])
def test_configuration_and_names_follow_from_the_published_shapes(config: SharpConfig, manifest: str) -> None:
    tensors = json.loads((GOLDEN / f"{manifest}state_dict_manifest.json").read_text())["tensors"]
    shapes = {name: tuple(shape) for name, (shape, _) in tensors.items()}
    assert SharpConfig.from_shapes(shapes) == config
    check_shapes(shapes, config)
    unused = sum(int(np.prod(shape)) for name, shape in shapes.items() if is_unused(name))
    if config == FULL:
        assert unused == 2 * 22_387_025 + 2_015_281 + 1_180_160 + 295_168


def test_the_recipe_makes_the_reference_weights() -> None:
    checks = json.loads((GOLDEN / "weights_check.json").read_text())
    small = {name: check for name, check in checks.items() if np.prod(check["shape"]) < 1e6}
    assert len(small) > 3
    for name, check in small.items():
        data = make_tensor(name, tuple(check["shape"])).numpy()
        assert zlib.crc32(data.astype("<f4").tobytes()) == check["crc32_le_f32"], name


def reference_image(width: int, height: int) -> np.ndarray:
    """The procedural photo of the reference case of the full network."""
    y, x = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
    image = np.stack([x * 255 // (width - 1), y * 255 // (height - 1), (x + y) * 255 // (width + height - 2)], axis=-1)
    cell = max(2, min(width, height) // 15)
    inside = (x >= width // 4) & (x < 3 * width // 4) & (y >= height // 4) & (y < 3 * height // 4)
    image = np.where((inside & ((x // cell + y // cell) % 2 == 1))[..., None], 255 - image, image)
    ink = splitmix64((10_000 * (y // 3) + x // 2 + 7_000_000).astype(np.uint64)) >> np.uint64(63)
    lines = (y >= 3 * height // 4) & (x >= width // 8) & (x < 7 * width // 8) & (y // 12 % 2 == 0)
    image = np.where(lines[..., None], np.where(ink == 1, 20, 235)[..., None], image)
    noise = splitmix64((y * width + x).astype(np.uint64))
    for channel in range(3):
        image[..., channel] += (noise >> np.uint64(8 * channel) & np.uint64(15)).astype(np.int64) - 8
    return np.clip(image, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("case", ["micro_landscape", "mini_landscape"])
def test_reference_images_can_be_made_anywhere(case: str) -> None:
    golden = np.load(GOLDEN / f"{case}.npz")["image"]
    assert np.array_equal(reference_image(golden.shape[1], golden.shape[0]), golden)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_full_network_has_the_published_statistics(tmp_path: Path) -> None:
    """The published architecture on weights by recipe: standard deviations over all Gaussians."""
    path = tmp_path / "full.pt"
    torch.save(make_state_dict(FULL), path)
    engine = SharpEngine(EngineOptions("cpu", "fp32", str(path)))
    outputs: list[NetworkOutput] = []
    engine.load().register_forward_hook(lambda module, args, output: outputs.append(output))
    cloud = engine.predict(Photo(reference_image(640, 480), focal_from_px(600.0, 640, 480))).cloud
    assert len(cloud) == 2 * 768 * 768
    expected = json.loads((GOLDEN / "full_kernel_deviation.json").read_text())
    found = {
        "disparity_sub16": outputs[0].disparity[..., ::16, ::16],
        "delta_sub16": outputs[0].delta[..., ::16, ::16],
        "final_mean_vectors": cloud.positions,
        "final_singular_values": cloud.scales,
        "final_colors": cloud.colours,
        "final_opacities": cloud.opacities,
    }
    for name, values in found.items():
        deviation = np.asarray(values, np.float64).std(ddof=1)  # as torch computes it
        assert deviation == pytest.approx(expected[name]["ref_std"], rel=5e-6), name
