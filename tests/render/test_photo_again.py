"""A lifted photo, seen from its own camera, is the photo."""

from __future__ import annotations

import numpy as np

from image_to_3d.core import Camera
from image_to_3d.core.cloud.lifting import lift
from image_to_3d.core.imaging.colour import linear_to_srgb8
from image_to_3d.io.depth import load_depth
from image_to_3d.io.photo import load_photo
from image_to_3d.render import Instance
from image_to_3d.render.cpu import CpuRenderer
from paths import SAMPLE


def test_the_sample_room_from_its_own_camera_is_its_photo():
    photo, depth = load_photo(SAMPLE / "photo.jpg"), load_depth(SAMPLE / "depth_mm.png")
    cloud = lift(photo.pixels, depth, photo.intrinsics)
    frame = CpuRenderer().render([Instance(cloud)], Camera.at_origin(photo.intrinsics))
    known = np.isfinite(depth)
    error = (linear_to_srgb8(frame.colour).astype(float) - photo.pixels)[known]
    psnr = 10 * np.log10(255**2 / (error**2).mean())
    assert psnr > 35, psnr
    assert frame.alpha[known].min() > 0.98
    assert np.abs(frame.expected_depth()[known] / depth[known] - 1).mean() < 0.005
    hole = ~known
    hole[1:] &= ~known[:-1]
    hole[:-1] &= ~known[1:]
    hole[:, 1:] &= ~known[:, :-1]
    hole[:, :-1] &= ~known[:, 1:]
    assert (frame.alpha[hole] < 0.5).mean() > 0.99, "where nothing was measured there is nothing"
