"""Pictures of the preview: packed for textures, coded for slow connections, as large as time allows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from image_to_3d.blender.preview import Resolution, pack_frame, scaled, unpack_frame
from image_to_3d.core.imaging.frame_codec import decode_colour, decode_depth, encode_colour, encode_depth
from paths import SAMPLE


def picture(height: int, width: int, seed: int = 0):
    """A smooth picture with an edge and a hole, premultiplied, and its depth."""
    rng = np.random.default_rng(seed)
    v, u = np.mgrid[0:height, 0:width] / max(height, width)
    colour = np.stack([u, v, 1 - u, np.ones_like(u)], -1)
    colour[u > 0.5, :3] *= 0.5
    colour[..., :3] += rng.normal(0, 0.01, (height, width, 3))
    colour[: height // 4, : width // 4] = 0
    depth = np.where(colour[..., 3] > 0, 1 + 5 * u + v, np.inf)
    return (colour.clip(0, 1) * 255).astype(np.uint8), depth.astype(np.float16)


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_packing_loses_nothing(height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    colour = rng.integers(0, 256, (height, width, 4), dtype=np.uint8)
    depth = rng.integers(0, 65536, (height, width), dtype=np.uint16).view(np.float16)
    packed = pack_frame(colour, depth)
    assert packed.shape == (height, width, 2) and packed.dtype == np.float32
    found, deep = unpack_frame(packed)
    np.testing.assert_array_equal(found, colour)
    np.testing.assert_array_equal(deep.view(np.uint16), depth.view(np.uint16))


@pytest.mark.parametrize("size", [(360, 640), (33, 47), (1, 1)])
def test_coded_colours_are_near_and_alpha_is_exact(size) -> None:
    colour, _ = picture(*size)
    coded = encode_colour(colour, 85)
    found = decode_colour(coded, size[1], size[0])
    np.testing.assert_array_equal(found[..., 3], colour[..., 3])
    assert np.abs(found.astype(int) - colour)[..., :3].mean() < 4
    assert (found[..., :3] <= found[..., 3:]).all()


def test_coded_pictures_are_small_and_smaller_at_less_quality() -> None:
    colour, depth = picture(360, 640)
    sizes = [len(encode_colour(colour, quality)) for quality in (30, 60, 90)]
    assert sizes == sorted(sizes) and sizes[-1] < colour.nbytes / 8
    assert len(encode_depth(depth)) < depth.nbytes / 2


def test_coded_colours_are_about_as_small_as_jpeg() -> None:
    """Pillow's JPEG of the sample photo, as the measure of what is possible."""
    import io

    from PIL import Image

    photo = Image.open(SAMPLE / "photo.jpg").resize((640, 360))
    rgb = np.asarray(photo.convert("RGB"))
    stream = io.BytesIO()
    photo.save(stream, "JPEG", quality=80)
    rgba = np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])
    coded = encode_colour(rgba, 80)
    found = decode_colour(coded, 640, 360)[..., :3].astype(int)
    theirs = np.asarray(Image.open(stream)).astype(int)
    assert len(coded) < 1.2 * len(stream.getvalue())
    assert np.abs(found - rgb).mean() < 1.1 * np.abs(theirs - rgb).mean()


def test_coded_depth_is_within_its_steps_and_holes_stay() -> None:
    _, depth = picture(360, 640)
    found = decode_depth(encode_depth(depth), 640, 360)
    np.testing.assert_array_equal(np.isinf(found), np.isinf(depth))
    finite = np.isfinite(depth)
    np.testing.assert_allclose(found[finite].astype(float), depth[finite].astype(float), rtol=2**-8)


@pytest.mark.parametrize("damage", [b"", b"\x50", b"\x50not zlib at all", b"\x00" * 40])
def test_damaged_pictures_are_refused(damage: bytes) -> None:
    with pytest.raises((ValueError, IndexError)):
        decode_colour(np.frombuffer(damage, np.uint8), 64, 64)
    with pytest.raises(ValueError, match="damaged"):
        decode_depth(np.frombuffer(damage, np.uint8), 64, 64)


def test_a_picture_of_another_size_is_refused() -> None:
    colour, depth = picture(32, 32)
    with pytest.raises(ValueError, match="damaged"):
        decode_colour(encode_colour(colour, 80), 64, 64)
    with pytest.raises(ValueError, match="damaged"):
        decode_depth(encode_depth(depth), 64, 64)


def test_pictures_shrink_until_they_come_in_time_and_grow_again() -> None:
    resolution = Resolution(seconds=0.05, share=1.0)
    for _ in range(20):
        resolution.measured(resolution.stepped, 0.2 * resolution.stepped**2)  # the whole picture takes 0.2 s
    assert resolution.stepped == pytest.approx(0.5, abs=0.07)
    for _ in range(20):
        resolution.measured(resolution.stepped, 0.01 * resolution.stepped**2)
    assert resolution.stepped == 1.0
    assert scaled(640, 360, 0.001) == (1, 1) and scaled(640, 360, 1.0) == (640, 360)
