"""Sizes, resampling and normalisation of network inputs."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from image_to_3d.engines.midas.config import DPTConfig, SmallConfig
from image_to_3d.engines.midas.preprocessing import input_size, prepare, resize_cubic
from midas_recipe import GOLDEN, make_picture

SMALL, LARGE = SmallConfig().preprocessing, DPTConfig().preprocessing
SIZE = st.integers(1, 30_000)


@pytest.mark.skipif(not GOLDEN.is_dir(), reason="the reference tensors (shared/golden/midas) are absent")
@pytest.mark.parametrize(("key", "rule"), [("midas_small", SMALL), ("dpt_large", LARGE)])
def test_sizes_are_the_published_ones_wherever_those_are_usable(key, rule):
    table = json.loads((GOLDEN / "midas_resize_golden.json").read_text())[key]
    usable = {size: wanted for size, wanted in table.items() if min(wanted) > 0 and max(wanted) <= rule.longest}
    assert len(usable) >= len(table) - 2
    for size, wanted in usable.items():
        assert input_size(*map(int, size.split("x")), rule) == tuple(wanted), size


@given(SIZE, SIZE, st.sampled_from([SMALL, LARGE]))
def test_any_photo_gets_a_size_that_the_networks_take(width, height, rule):
    for side in input_size(width, height, rule):
        assert side % 32 == 0
        assert 32 <= side <= rule.longest


@given(st.integers(64, 8000), st.integers(64, 8000), st.sampled_from([SMALL, LARGE]))
def test_aspect_is_kept_within_the_rounding(width, height, rule):
    w, h = input_size(width, height, rule)
    if min(w, h) > 32:
        assert abs(w / width - h / height) <= 16.01 / width + 16.01 / height


@pytest.mark.parametrize("shape", [(61, 97), (480, 640), (333, 1023), (1, 1), (1, 300), (2, 2)])
@pytest.mark.parametrize("size", [(256, 192), (32, 256)])
def test_resampling_is_cubic_convolution_without_antialiasing(shape, size):
    picture = make_picture(*shape)
    tensor = torch.from_numpy(picture.astype(np.float64)).permute(2, 0, 1)[None]
    expected = torch.nn.functional.interpolate(tensor, (size[1], size[0]), mode="bicubic", align_corners=False)
    np.testing.assert_allclose(resize_cubic(picture, *size), expected[0].permute(1, 2, 0).numpy(), atol=1e-9)


def test_a_grey_of_the_mean_becomes_zero():
    picture = np.full((40, 50, 3), 127.5).astype(np.uint8)
    assert np.abs(prepare(picture, LARGE) - (127 / 255 - 0.5) / 0.5).max() < 1e-6
    assert prepare(picture, LARGE).dtype == np.float32
