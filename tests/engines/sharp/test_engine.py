"""The SHARP engine around its network: checkpoints, progress and cancelling, memory, eigenvectors."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from image_to_3d.core import Cancelled, Grid, ImageTo3DError, Intrinsics
from image_to_3d.core.cloud.quaternion import to_matrix
from image_to_3d.core.errors import ErrorCode
from image_to_3d.engines import torch_runtime
from image_to_3d.engines.base import EngineOptions
from image_to_3d.engines.sharp.composer import NdcGaussians
from image_to_3d.engines.sharp.decoder import in_bands
from image_to_3d.engines.sharp.engine import SharpEngine
from image_to_3d.engines.sharp.network import SharpNetwork
from image_to_3d.engines.sharp.pyramid import crop_plans, merge, split
from image_to_3d.engines.sharp.state_dict import load_network
from image_to_3d.engines.sharp.unprojection import principal_axes, unproject
from image_to_3d.io.photo import Photo, photo_from_pixels
from sharp_recipe import MICRO, MINI, make_state_dict, write_checkpoint


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("weights") / "micro.pt")


@pytest.fixture
def engine(checkpoint: Path) -> SharpEngine:
    return SharpEngine(EngineOptions("cpu", "fp32", str(checkpoint)))


@pytest.fixture
def photo() -> Photo:
    return photo_from_pixels(np.random.default_rng(0).integers(0, 256, (33, 50, 3), dtype=np.uint8), "noise")


def test_a_cloud_tells_where_it_comes_from(engine: SharpEngine, photo: Photo) -> None:
    prediction = engine.predict(photo)
    cloud = prediction.cloud
    assert cloud.grid == Grid(2, 64, 64) and cloud.intrinsics == photo.intrinsics
    assert (cloud.provenance.engine, cloud.provenance.metric, cloud.provenance.photo) == ("sharp", True, "noise")
    assert cloud.provenance.focal_source == "assumed"
    assert set(prediction.seconds) == {"load", "preprocess", "network", "postprocess"}
    assert set(engine.predict(photo).seconds) == {"preprocess", "network", "postprocess"}  # warm


def test_the_grid_is_the_picture(engine: SharpEngine, photo: Photo) -> None:
    """A Gaussian projects near the middle of its cell: the refinement moves it by a thousandth of the picture per unit."""
    cloud = engine.predict(photo).cloud
    uv = photo.intrinsics.project(cloud.positions.astype(float))
    row, col = cloud.cells() // 64 % 64, cloud.cells() % 64
    offset = uv - np.stack([(col + 0.5) * 50 / 64, (row + 0.5) * 33 / 64], axis=1)
    assert np.abs(np.median(offset, axis=0)).max() < 0.2 and np.abs(offset).max() < 3


def test_progress_is_of_the_whole_way_and_real(engine: SharpEngine, photo: Photo) -> None:
    calls: list[tuple[str, float]] = []
    engine.predict(photo, progress=lambda stage, fraction: calls.append((stage, fraction)))
    fractions = [fraction for _, fraction in calls]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    assert list(dict.fromkeys(stage for stage, _ in calls)) == [
        "load",
        "preprocess",
        "encoder",
        "depth",
        "gaussians",
        "postprocess",
    ]
    assert sum(stage == "encoder" for stage, _ in calls) == 6  # 21 crops, five at a time, and the whole image


@pytest.mark.parametrize("stage", ["load", "encoder", "depth", "gaussians", "postprocess"])
def test_cancelling_takes_effect_at_the_next_chunk(engine: SharpEngine, photo: Photo, stage: str) -> None:
    calls: list[str] = []

    def cancel(now: str, fraction: float) -> None:
        calls.append(now)
        if now == stage:
            raise Cancelled

    with pytest.raises(Cancelled):
        engine.predict(photo, progress=cancel)
    assert calls.count(stage) == 1
    assert len(engine.predict(photo).cloud) == 2 * 64 * 64  # and the engine lives on


def test_chunks_do_not_change_the_result(checkpoint: Path) -> None:
    network = load_network(checkpoint)
    image = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        outputs = [network(image, 1.0, chunk, lambda stage, fraction: None).delta for chunk in (1, 4, 35)]
    for other in outputs[1:]:
        torch.testing.assert_close(outputs[0], other, atol=1e-3, rtol=1e-4)


def test_running_out_of_memory_leads_to_smaller_chunks(
    engine: SharpEngine, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward, chunks = SharpNetwork.forward, []

    def scarce(self: SharpNetwork, image: torch.Tensor, factor: float, chunk: int, on_stage: object) -> object:
        chunks.append(chunk)
        if chunk > 1:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return forward(self, image, factor, chunk, on_stage)  # type: ignore[arg-type]

    monkeypatch.setattr(SharpNetwork, "forward", scarce)
    assert len(engine.predict(photo).cloud) == 2 * 64 * 64
    assert chunks == [5, 1]


def test_running_out_of_memory_for_good_is_an_error_that_says_what_to_do(
    engine: SharpEngine, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*args: object) -> None:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")

    monkeypatch.setattr(SharpNetwork, "forward", never)
    with pytest.raises(ImageTo3DError) as caught:
        engine.predict(photo)
    assert caught.value.code is ErrorCode.OUT_OF_MEMORY and "bf16" in caught.value.sentence("cli")


def test_too_little_memory_is_noticed_before_it_is_used(
    engine: SharpEngine, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch_runtime, "free_memory", lambda device: 1000)
    with pytest.raises(ImageTo3DError) as caught:
        engine.predict(photo)
    assert caught.value.code is ErrorCode.OUT_OF_MEMORY


def test_overflow_in_half_precision_is_repeated_in_single(
    checkpoint: Path, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = SharpNetwork.forward

    def overflows(self: SharpNetwork, *args: object) -> object:
        output = forward(self, *args)  # type: ignore[arg-type]
        if self.dtype != torch.float32:
            output.delta[0, 0, 0, 0] = torch.inf
        return output

    monkeypatch.setattr(SharpNetwork, "forward", overflows)
    prediction = SharpEngine(EngineOptions("cpu", "bf16", str(checkpoint))).predict(photo)
    assert prediction.precision == "fp32" and "overflowed" in prediction.warnings[0]


def test_half_precision_stays_near_single(checkpoint: Path, engine: SharpEngine, photo: Photo) -> None:
    half = SharpEngine(EngineOptions("cpu", "bf16", str(checkpoint)))
    prediction = half.predict(photo)
    reference = engine.predict(photo).cloud
    assert prediction.precision == "bf16"
    relative = np.abs(prediction.cloud.positions[:, 2] / reference.positions[:, 2] - 1)
    assert 0 < np.median(relative) < 0.02
    network = half.load()
    assert network.monodepth_model.monodepth_predictor.head[0].weight.dtype == torch.float32
    assert network.dtype == torch.bfloat16


def test_unloading_frees_the_weights_and_predicting_brings_them_back(engine: SharpEngine, photo: Photo) -> None:
    before = engine.predict(photo).cloud
    engine.unload()
    assert np.array_equal(engine.predict(photo).cloud.positions, before.positions)


def test_tensors_that_inference_does_not_need_may_be_there_or_not(tmp_path: Path) -> None:
    tensors = make_state_dict(MICRO)
    unused = {
        "depth_alignment.scale_map_estimator.conv_out.bias": torch.zeros(1),
        "monodepth_model.monodepth_predictor.encoder.patch_encoder.head.weight": torch.zeros(10, 32),
        "feature_model.decoder.fusions.4.resnet1.residual.1.bias": torch.zeros(32),
    }
    torch.save(tensors | unused, tmp_path / "with.pt")
    network = load_network(tmp_path / "with.pt")
    assert not set(unused) & set(network.state_dict())


@pytest.mark.parametrize(
    "change, said",
    [
        (lambda t: t.pop("prediction_head.texture_prediction_head.bias"), "texture_prediction_head.bias"),
        (lambda t: t.update(extra=torch.zeros(3)), "unknown: extra"),
        (lambda t: t.clear(), "cls_token is missing"),
        (lambda t: t.update({"feature_model.texture_head.0.residual.2.weight": torch.zeros(())}), "misshapen"),
    ],
)
def test_a_wrong_checkpoint_is_an_error_that_names_the_tensor(tmp_path: Path, change: object, said: str) -> None:
    tensors = make_state_dict(MICRO)
    change(tensors)  # type: ignore[operator]
    torch.save(tensors, tmp_path / "wrong.pt")
    with pytest.raises(ImageTo3DError, match=said) as caught:
        load_network(tmp_path / "wrong.pt")
    assert caught.value.code is ErrorCode.WEIGHTS_MISSING


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path: Path) -> None:
    torch.save({"x": Path}, tmp_path / "evil.pt")
    with pytest.raises(ImageTo3DError):
        load_network(tmp_path / "evil.pt")


def test_merging_undoes_splitting() -> None:
    """Crops of a picture of its own patches' numbers come together as that picture, overlap or not."""
    for config in (MICRO, MINI):
        size, grid = config.vit.image_size, config.vit.grid
        for plan, scale in zip(crop_plans(config), (4, 2), strict=True):
            cells = torch.arange((scale * grid) ** 2, dtype=torch.float32).reshape(1, 1, scale * grid, scale * grid)
            picture = cells.repeat_interleave(16, dim=2).repeat_interleave(16, dim=3)
            tiles = split(picture, plan, size)[:, :, ::16, ::16].permute(0, 2, 3, 1)
            assert tiles.shape == (plan.steps**2, grid, grid, 1)
            assert torch.equal(merge(tiles, plan), cells)


def test_bands_give_what_the_whole_map_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    layers = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3, padding=1),
        torch.nn.ConvTranspose2d(4, 4, 2, stride=2),
        torch.nn.Conv2d(4, 2, 3, padding=1),
    )
    x = torch.randn(1, 3, 70, 20)
    whole = layers(x)
    monkeypatch.setattr("image_to_3d.engines.sharp.decoder._BAND_ELEMENTS", 3 * 20 * 17)
    torch.testing.assert_close(in_bands(layers, x, halo=2, scale=2), whole, atol=1e-6, rtol=1e-5)


def test_group_norm_is_accurate_in_every_layout() -> None:
    torch.manual_seed(0)
    x = torch.randn(1, 16, 300, 300) * 0.7 + 1.3
    norm = torch_runtime.GroupNorm(8, 16)
    with torch.no_grad():
        norm.weight.uniform_(0.5, 2)
        norm.bias.normal_()
        expected = torch.nn.functional.group_norm(x.double(), 8, norm.weight.double(), norm.bias.double())
        for layout in (torch.contiguous_format, torch.channels_last):
            assert (norm(x.to(memory_format=layout)) - expected).abs().max() < 5e-6


def test_onednn_linear_is_linear() -> None:
    torch.manual_seed(0)
    mlp = torch.nn.Module()
    mlp.fc1, mlp.act, mlp.fc2 = torch.nn.Linear(32, 48), torch.nn.GELU(), torch.nn.Linear(48, 8)
    x = torch.randn(2, 5, 32)
    with torch.inference_mode():
        expected = mlp.fc2(mlp.act(mlp.fc1(x)))
        if not torch_runtime.use_onednn_linear(mlp):
            pytest.skip("this torch has no oneDNN linear operator")
        assert isinstance(mlp.fc1, torch_runtime.OneDNNLinear)
        torch.testing.assert_close(mlp.fc2(mlp.act(mlp.fc1(x))), expected, atol=1e-5, rtol=1e-5)


def symmetric(six: np.ndarray) -> np.ndarray:
    xx, xy, xz, yy, yz, zz = six
    return np.stack([np.stack([xx, xy, xz], -1), np.stack([xy, yy, yz], -1), np.stack([xz, yz, zz], -1)], -2)


@pytest.mark.parametrize("dtype, tolerance", [(torch.float64, 1e-12), (torch.float32, 2e-6)])
def test_principal_axes_compose_to_the_covariance(dtype: torch.dtype, tolerance: float) -> None:
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(20_000, 3, 3)) * np.exp(rng.normal(size=(20_000, 1, 3)) * 2)
    covariance = factors @ factors.transpose(0, 2, 1)
    rows, cols = [0, 0, 0, 1, 1, 2], [0, 1, 2, 1, 2, 2]
    six = tuple(torch.tensor(covariance[:, r, c], dtype=dtype) for r, c in zip(rows, cols, strict=True))
    deviations, quaternions = (torch.stack(part, -1).double().numpy() for part in principal_axes(six))
    assert (np.diff(deviations, axis=1) <= 0).all() and (quaternions[:, 0] >= 0).all()
    axes = to_matrix(quaternions) * deviations[:, None]
    error = np.abs(axes @ axes.transpose(0, 2, 1) - covariance).max(axis=(1, 2)) / np.trace(
        covariance, axis1=1, axis2=2
    )
    assert error.max() < tolerance
    assert np.abs(np.linalg.norm(quaternions, axis=1) - 1).max() < 1e-6


@given(st.lists(st.sampled_from([0.0, 1e-12, 1e-3, 1.0, 2.0, 1e3]), min_size=3, max_size=3))
@settings(max_examples=60, deadline=None)
def test_principal_axes_of_degenerate_covariances_are_finite(variances: list[float]) -> None:
    """Zero, flat, needle-shaped and round Gaussians, along the axes already."""
    six = tuple(
        torch.tensor([value], dtype=torch.float64) for value in (variances[0], 0, 0, variances[1], 0, variances[2])
    )
    deviations, quaternions = principal_axes(six)
    np.testing.assert_allclose(torch.cat(deviations), sorted(np.sqrt(variances), reverse=True))
    assert float(torch.cat(quaternions).norm()) == pytest.approx(1.0)


def test_unprojection_is_linear_algebra() -> None:
    """Against numpy's way: normalise, compose, transform, eigenvalues."""
    rng = np.random.default_rng(1)
    n = 40_000  # more than one chunk
    quaternions, scales = rng.normal(size=(4, n)), np.exp(rng.normal(size=(3, n)))
    means = rng.normal(size=(3, n))
    tensors = [torch.tensor(a, dtype=torch.float32) for a in (means, scales, quaternions, means, scales[0])]
    intrinsics = Intrinsics.centred(500.0, 640, 480)
    metric = unproject(NdcGaussians(*tensors), intrinsics)
    stretch = np.array([0.64, 0.48, 1.0])
    np.testing.assert_allclose(metric.positions.numpy(), means.T * stretch, rtol=1e-5, atol=1e-6)
    rotation = to_matrix((quaternions / np.linalg.norm(quaternions, axis=0)).T)
    factor = stretch[:, None] * rotation * scales.T[:, None]
    expected = np.linalg.svd(factor, compute_uv=False)
    np.testing.assert_allclose(metric.scales.numpy(), expected, rtol=2e-5)


def test_the_registry_loads_no_torch() -> None:
    code = "import sys, image_to_3d.engines.registry, image_to_3d.cli.predict, image_to_3d.cli; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_devices_and_precisions_are_checked() -> None:
    assert torch_runtime.choose_device("cpu").type == "cpu"
    assert torch_runtime.choose_precision("auto", torch.device("cpu")) == "fp32"
    assert torch_runtime.choose_precision("auto", torch.device("cuda")) == "fp16"
    for choose in (
        lambda: torch_runtime.choose_device("tpu"),
        lambda: torch_runtime.choose_precision("int4", torch.device("cpu")),
    ):
        with pytest.raises(ImageTo3DError) as caught:
            choose()
        assert caught.value.code is ErrorCode.BAD_REQUEST
