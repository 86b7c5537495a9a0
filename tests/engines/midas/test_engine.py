"""The engines from end to end, with a checkpoint made by the recipe."""

from __future__ import annotations

import numpy as np
import pytest

from image_to_3d.core import Cancelled, Intrinsics, Provenance
from image_to_3d.core.depth.relative_depth import affine_of
from image_to_3d.core.errors import ErrorCode, ImageTo3DError
from image_to_3d.engines.base import DisparityEngine, EngineOptions
from image_to_3d.engines.midas.engine import DPTLargeEngine, MidasSmallEngine, lift_disparity
from image_to_3d.engines.registry import ENGINES, create_engine
from image_to_3d.io.photo import photo_from_pixels
from midas_recipe import GOLDEN, make_picture


@pytest.fixture(scope="module")
def engine(small_checkpoint) -> MidasSmallEngine:
    return MidasSmallEngine(EngineOptions("cpu", "fp32", str(small_checkpoint)))


def test_a_photo_becomes_gaussians_that_say_what_was_assumed(engine):
    photo = photo_from_pixels(make_picture(96, 128), "blocks.png", mm35=28)
    seen: list[tuple[str, float]] = []
    prediction = engine.predict(photo, progress=lambda stage, fraction: seen.append((stage, fraction)))
    cloud = prediction.cloud
    assert cloud.grid is not None
    assert (cloud.grid.rows, cloud.grid.cols) == (96, 128)
    assert np.isfinite(cloud.depth_image(0)).all()
    assert (cloud.provenance.engine, cloud.provenance.metric) == ("midas-small", False)
    affine = affine_of(cloud)
    assert affine is not None
    assert affine.a > 0
    assert affine.assumption in prediction.warnings[0]
    assert "calibrate" in prediction.warnings[0]
    assert {"preprocess", "network", "postprocess"} <= prediction.seconds.keys()
    fractions = [fraction for _, fraction in seen]
    assert fractions == sorted(fractions)
    assert seen[-1] == ("postprocess", 1.0)


@pytest.mark.parametrize("size", ["256x256", "97x61"])
def test_disparity_is_the_published_one_at_the_photos_size(engine, size):
    expected = np.load(GOLDEN / "midas_small_golden.npz")[f"{size}:full"][0]
    disparity = engine.disparity(photo_from_pixels(make_picture(*map(int, size.split("x")))))
    assert disparity.dtype == np.float32
    np.testing.assert_allclose(disparity, expected, rtol=1e-4, atol=1e-4 * expected.max())
    assert isinstance(engine, DisparityEngine)


@pytest.mark.parametrize("shape", [(1, 1), (2, 300), (300, 2), (33, 31), (20, 1000)])
def test_odd_thin_and_tiny_photos_are_safe(engine, shape):
    cloud = engine.predict(photo_from_pixels(make_picture(*shape))).cloud
    assert np.isfinite(cloud.depth_image(0)).all()
    assert engine.disparity(photo_from_pixels(make_picture(*shape))).shape == shape


def test_half_precision_gives_nearly_the_same(engine, small_checkpoint):
    half = MidasSmallEngine(EngineOptions("cpu", "bf16", str(small_checkpoint)))
    photo = photo_from_pixels(make_picture(64, 96))
    exact, rough = engine.disparity(photo), half.disparity(photo)
    assert half.precision == "bf16"
    assert 0 < np.abs(exact - rough).max() < 0.05 * exact.max()


def test_fp16_on_a_cpu_becomes_fp32_and_says_so(small_checkpoint):
    engine = MidasSmallEngine(EngineOptions("cpu", "fp16", str(small_checkpoint)))
    prediction = engine.predict(photo_from_pixels(make_picture(32, 32)))
    assert prediction.precision == "fp32"
    assert any("fp16" in warning for warning in prediction.warnings)


def test_unloading_and_loading_again_changes_nothing(engine):
    photo = photo_from_pixels(make_picture(64, 64))
    before = engine.disparity(photo)
    engine.unload()
    np.testing.assert_array_equal(engine.disparity(photo), before)


def test_cancelling_passes_through(engine):
    def stop(stage: str, fraction: float) -> None:
        if stage == "network":
            raise Cancelled

    with pytest.raises(Cancelled):
        engine.predict(photo_from_pixels(make_picture(64, 64)), progress=stop)


@pytest.mark.parametrize("name", ["midas-small", "dpt-large"])
def test_without_a_checkpoint_one_sentence_tells_how_to_get_it(name, monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(ImageTo3DError) as caught:
        create_engine(name, EngineOptions("cpu"))
    assert caught.value.code is ErrorCode.WEIGHTS_MISSING
    assert f"weights fetch {name}" in str(caught.value)
    assert ENGINES[name].licence == "MIT"


def test_the_checkpoint_of_the_other_network_is_refused(small_checkpoint):
    engine = DPTLargeEngine(EngineOptions("cpu", "fp32", str(small_checkpoint)))
    with pytest.raises(ImageTo3DError, match="not those of this network"):
        engine.disparity(photo_from_pixels(make_picture(32, 32)))


def test_lifting_keeps_the_disparity_recoverable():
    w = np.linspace(1.0, 3.0, 40)[:, None].repeat(60, 1)
    k = Intrinsics.centred(60.0, 60, 40)
    cloud = lift_disparity(make_picture(40, 60), w, k, Provenance("midas-small", False))
    affine = affine_of(cloud)
    assert affine is not None
    np.testing.assert_allclose(affine.disparity(cloud.depth_image(0)), w, rtol=1e-4)
