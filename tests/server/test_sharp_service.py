"""SHARP behind the wire: warm between photos, stages reported, cancelled within a chunk; small network of made-up weights."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from backend_process import running_backend
from image_to_3d.core.errors import ErrorCode, ImageTo3DError
from image_to_3d.protocol import Client
from image_to_3d.protocol.messages import Predict, Result, bytes_blob
from paths import SAMPLE
from sharp_recipe import MINI, write_checkpoint


def request(**changes) -> Predict:
    photo = bytes_blob((SAMPLE / "photo.jpg").read_bytes())
    return Predict(**{"engine": "auto", "photo_name": "photo.jpg", "photo_file": photo, **changes})


def test_sharp_serves_photos_and_can_be_cancelled(private_home: Path, tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path / "mini.pt", MINI)
    with running_backend(private_home, "--checkpoint", str(checkpoint), test_engines=False) as backend:
        backend.wait_ready()
        with Client() as client:
            (sharp,) = (engine for engine in client.welcome.engines if engine.name == "sharp")
            assert sharp.state == "ready"
            progress: list[tuple[str, float]] = []
            first = client.call(request(), 120, lambda stage, fraction: progress.append((stage, fraction)))
            assert isinstance(first, Result) and first.engine == "sharp"
            cloud = first.to_cloud()
            assert len(cloud) == 2 * 256 * 256 and cloud.grid is not None and cloud.grid.layers == 2
            fractions = [fraction for _, fraction in progress]
            assert fractions == sorted(fractions) and len({stage for stage, _ in progress}) >= 3

            again = client.call(request(), 120)
            assert isinstance(again, Result)
            # Math libraries may share a sum out to threads in another order, so the last digits are not promised.
            np.testing.assert_allclose(again.positions, first.positions, rtol=1e-3, atol=1e-3)

            fewer = client.call(request(max_gaussians=40_000, depth_max=float(np.median(cloud.positions[:, 2]))), 120)
            assert isinstance(fewer, Result) and 0 < len(fewer.positions) <= 40_000

            with pytest.raises(ImageTo3DError) as caught:
                started = time.monotonic()
                client.call(request(), 120, cancelled=lambda: time.monotonic() - started > 0.2)
            assert caught.value.code is ErrorCode.CANCELLED


def test_serve_takes_the_engine_for_photos_whose_sender_leaves_the_choice(private_home: Path) -> None:
    with running_backend(private_home, "--engine", "depth-map", test_engines=False) as backend:
        backend.wait_ready()
        with Client() as client, pytest.raises(ImageTo3DError) as caught:
            assert client.welcome.auto_engine == "depth-map"
            client.call(request(), 60)
        assert caught.value.code is ErrorCode.BAD_REQUEST and "depth file" in caught.value.message
