"""The built-in engine: its weights come with the package, and it makes a sane room of a bare photo."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from image_to_3d.core import Intrinsics
from image_to_3d.core.errors import ErrorCode, ImageTo3DError
from image_to_3d.engines import registry
from image_to_3d.engines.base import EngineOptions
from image_to_3d.engines.lite import depth as lite_depth
from image_to_3d.engines.lite.network import STRIDE, LiteConfig, LiteNetwork
from image_to_3d.engines.lite.upsampling import joint_bilateral, sharpen
from image_to_3d.engines.lite.weights import PACKAGED, load_network, save_weights
from image_to_3d.io.photo import load_photo

ALIGNED_BOUND = 0.12
"""AbsRel on the sample room after one scale, where the engine sees no sky."""


@pytest.fixture(scope="module")
def engine():
    return registry.create_engine("lite", EngineOptions(device="cpu"))


@pytest.fixture(scope="module")
def room(sample: Path):
    truth = np.asarray(Image.open(sample / "depth_mm.png")) / 1000
    return load_photo(sample / "photo.jpg"), truth, json.loads((sample / "truth.json").read_text())


def depth_of_cloud(cloud, shape):
    """Depth (rows, cols) of a cloud's grid at the pixels of a map of another size, NaN where there is no point."""
    grid = np.full(cloud.grid.rows * cloud.grid.cols, np.nan)
    grid[slice(None) if cloud.grid_index is None else cloud.grid_index] = cloud.positions[:, 2]
    grid = grid.reshape(cloud.grid.rows, cloud.grid.cols)
    rows = ((np.arange(shape[0]) + 0.5) * grid.shape[0] / shape[0]).astype(int)
    cols = ((np.arange(shape[1]) + 0.5) * grid.shape[1] / shape[1]).astype(int)
    return grid[np.ix_(rows, cols)]


def test_the_weights_come_with_the_package_and_are_small():
    assert PACKAGED.is_file() and PACKAGED.stat().st_size < 15e6


def test_a_bare_photo_goes_to_the_built_in_engine_where_sharp_is_absent(monkeypatch, tmp_path):
    monkeypatch.setattr(registry.weights, "state", lambda *_: ("weights_missing", "not here"))
    assert registry.resolve("auto") == "lite"
    assert registry.resolve("auto", has_depth=True) == "depth-map"
    assert any(s.info.name == "lite" and s.state == "ready" for s in registry.engine_states())


def test_the_sample_room_has_its_shape(engine, room):
    photo, truth, _ = room
    prediction = engine.predict(photo)
    depth = depth_of_cloud(prediction.cloud, truth.shape)
    known = (truth > 0) & np.isfinite(depth)
    assert known.mean() > 0.8
    z, d = truth[known], depth[known]
    aligned = np.abs(d * np.median(z) / np.median(d) - z) / z
    assert aligned.mean() < ALIGNED_BOUND
    assert 0.6 < np.median(d) / np.median(z) < 1.6
    assert prediction.cloud.provenance.engine == "lite" and prediction.cloud.provenance.metric
    assert "approximate scale" in prediction.warnings[0]


def test_the_same_photo_gives_the_same_cloud(engine, room):
    first, second = engine.predict(room[0]).cloud, engine.predict(room[0]).cloud
    assert np.array_equal(first.positions, second.positions)


def test_unloading_gives_the_memory_back_and_changes_nothing(engine, room):
    before = engine.predict(room[0]).cloud
    engine.unload()
    assert np.array_equal(before.positions, engine.predict(room[0]).cloud.positions)


def test_the_same_picture_with_a_longer_lens_is_farther_away(engine, room):
    photos = [room[0].with_focal(mm35=mm) for mm in (20, 28, 40, 200, 400)]
    with torch.inference_mode():
        estimates = [lite_depth.estimate_depth(engine.load(), p.pixels, p.intrinsics) for p in photos]
    middles = [np.nanmedian(e.depth) for e in estimates]
    assert middles == sorted(middles)
    assert 1.3 < middles[2] / middles[0] < 3.0
    assert middles[4] / middles[3] == pytest.approx(2.0, rel=1e-3)  # beyond what it was trained on: in proportion


@pytest.mark.parametrize(("width", "height"), [(640, 480), (480, 640), (4000, 3000), (1000, 100), (64, 900), (33, 33)])
def test_the_input_has_about_the_trained_size_and_the_aspect_of_the_photo(width: int, height: int):
    for pixels in lite_depth.INPUT_PIXELS:
        w, h = lite_depth.input_size(width, height, pixels)
        assert w % STRIDE == 0 and h % STRIDE == 0
        assert 0.75 <= w * h / pixels <= 1.3
        assert w / h == pytest.approx(np.clip(width / height, 1 / 4, 4), rel=0.13)


@pytest.mark.parametrize(("width", "height"), [(7, 5), (300, 40), (40, 300)])
def test_odd_pictures_pass(width: int, height: int):
    pixels = np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)
    with torch.inference_mode():
        estimate = lite_depth.estimate_depth(load_network(), pixels, Intrinsics.centred(width, width, height))
    assert estimate.depth.shape == (height, width) == estimate.relative_error.shape
    assert np.isfinite(estimate.relative_error).all()


def test_weights_survive_their_file(tmp_path: Path):
    torch.manual_seed(3)
    small = LiteConfig(stem=8, quarter=8, eighth=8, tokens=16, blocks=1, heads=2, decoder=(8, 8))
    network = LiteNetwork(small).eval()
    save_weights(tmp_path / "w.npz", network)
    again = load_network(tmp_path / "w.npz")
    photo, rays = torch.rand(1, 3, 32, 48), torch.rand(1, 2, 32, 48)
    with torch.inference_mode():
        for a, b in zip(network(photo, rays), again(photo, rays), strict=True):
            assert a.shape == (1, 32, 48) and torch.allclose(a, b, atol=0.02)


def test_a_damaged_weights_file_is_named(tmp_path: Path):
    (tmp_path / "w.npz").write_bytes(PACKAGED.read_bytes()[:5000])
    with pytest.raises(ImageTo3DError) as caught:
        load_network(tmp_path / "w.npz")
    assert caught.value.code is ErrorCode.ENGINE_FAILED
    with pytest.raises(ImageTo3DError) as caught:
        load_network(tmp_path / "none.npz")
    assert caught.value.code is ErrorCode.WEIGHTS_MISSING


def plane(rows: int, cols: int) -> torch.Tensor:
    """Inverse depth of a plane over the unit square, at cell centres."""
    y, x = (torch.arange(rows) + 0.5) / rows, (torch.arange(cols) + 0.5) / cols
    return 0.4 + 0.15 * x[None, :] + 0.1 * y[:, None]


def test_planes_stay_planes():
    torch.manual_seed(0)
    coarse = plane(24, 32)[None, None]
    fine = joint_bilateral(sharpen(coarse), torch.rand(1, 3, 96, 128))
    inner = (slice(8, -8), slice(8, -8))
    assert torch.allclose(fine[inner], plane(96, 128)[inner], rtol=2e-3)


def test_depth_edges_go_where_the_photo_has_them():
    guide = torch.full((1, 3, 96, 128), 0.2)
    guide[..., 61:] = 0.8  # one and a quarter fine pixels beside the coarse edge
    coarse = torch.full((1, 1, 24, 32), 0.5)
    coarse[..., 15] = 0.35
    coarse[..., 16:] = 0.2
    fine = joint_bilateral(sharpen(coarse), guide)
    assert (fine[:, :59] > 0.45).all() and (fine[:, 66:] < 0.25).all()
    assert ((fine[:, 60] - fine[:, 61]) > 0.1).all()


def test_sharpening_takes_the_middle_out_of_an_edge():
    row = torch.tensor([0.5, 0.5, 0.5, 0.44, 0.32, 0.24, 0.2, 0.2, 0.2])
    sharp = sharpen(row.expand(5, -1)[None, None])[0, 0, 2]
    between = (sharp > 0.23) & (sharp < 0.47)
    assert between.sum() < ((row > 0.23) & (row < 0.47)).sum()
    assert sharp.min() >= 0.2 - 1e-6 and sharp.max() <= 0.5 + 1e-6


def test_sky_is_what_goes_on_beyond_the_upper_edge():
    logits = torch.full((30, 40), -5.0)
    logits[0:8, 20:] = 3.0  # above the roofs
    logits[8, 30] = 3.0
    logits[12:20, 5:15] = 4.0  # a window
    found = lite_depth.open_sky(logits)
    expected = torch.zeros(30, 40, dtype=torch.bool)
    expected[0:8, 20:] = True
    expected[8, 30] = True
    assert torch.equal(found, expected)
    assert not lite_depth.open_sky(torch.full((30, 40), 0.5)).any()  # not sure enough


def test_the_window_of_the_room_is_closed(engine, room):
    photo, _, _ = room
    cloud = engine.predict(photo).cloud
    assert len(cloud) == cloud.grid.cells
