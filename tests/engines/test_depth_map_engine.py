"""The engine `depth-map` and the registry."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from image_to_3d.core import Cancelled
from image_to_3d.core.errors import ErrorCode, ImageTo3DError
from image_to_3d.engines.base import EngineOptions
from image_to_3d.engines.depth_map import DepthMapEngine, stretch_to_photo
from image_to_3d.engines.registry import create_engine, resolve
from image_to_3d.io.photo import photo_from_pixels

PHOTO = photo_from_pixels(np.full((12, 16, 3), 77, np.uint8), "wall.jpg", mm35=28)
WALL = np.full((12, 16), 2.5, np.float32)


def test_prediction_says_where_it_comes_from():
    stages = []
    prediction = create_engine("depth-map", EngineOptions()).predict(PHOTO, WALL, lambda s, f: stages.append((s, f)))
    cloud = prediction.cloud
    assert len(cloud) == 12 * 16 and np.allclose(cloud.positions[:, 2], 2.5)
    assert (cloud.provenance.engine, cloud.provenance.focal_source) == ("depth-map", "exif35")
    assert stages[0][1] == 0 and stages[-1][1] == 1


def test_holes_are_announced():
    wall = WALL.copy()
    wall[:6] = np.nan
    assert "50%" in DepthMapEngine().predict(PHOTO, wall).warnings[0]


@pytest.mark.parametrize("shape", [(6, 8), (16, 12), (12, 15)])
def test_depth_of_another_size_is_refused(shape):
    with pytest.raises(ImageTo3DError) as caught:
        DepthMapEngine().predict(PHOTO, np.ones(shape, np.float32))
    assert caught.value.code is ErrorCode.BAD_REQUEST and "16×12" in caught.value.message


def test_small_depth_of_the_same_aspect_is_stretched_on_request():
    small = np.full((6, 8), 2.5, np.float32)
    assert np.allclose(stretch_to_photo(small, PHOTO), WALL)
    with pytest.raises(ImageTo3DError, match="aspect"):
        stretch_to_photo(np.ones((8, 6), np.float32), PHOTO)


def test_no_depth_is_an_error_with_a_way_out():
    with pytest.raises(ImageTo3DError) as caught:
        DepthMapEngine().predict(PHOTO)
    assert caught.value.hint


def test_cancelling_stops_the_engine():
    def stop(stage, fraction):
        raise Cancelled

    with pytest.raises(Cancelled):
        DepthMapEngine().predict(PHOTO, WALL, stop)


def test_auto_takes_the_depth_map_when_there_is_one():
    assert resolve("auto", has_depth=True) == "depth-map"
    with pytest.raises(ImageTo3DError, match="no engine called"):
        resolve("teleport")


def test_an_engine_without_its_packages_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "image_to_3d.engines.lite.engine", None)
    with pytest.raises(ImageTo3DError) as caught:
        create_engine("lite", EngineOptions())
    assert caught.value.code is ErrorCode.ENGINE_FAILED and "pip install" in caught.value.words("cli")[1]
