""".splat and .spz: what they store is what their readers expect, pictures survive the round trip, others are refused in words."""

from __future__ import annotations

import gzip
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from image_to_3d.cli import main
from image_to_3d.core import Camera, GaussianCloud, Intrinsics
from image_to_3d.core.cloud import quaternion
from image_to_3d.core.cloud.lifting import lift
from image_to_3d.core.errors import ImageTo3DError
from image_to_3d.core.imaging.colour import linear_to_srgb, srgb_to_linear
from image_to_3d.io.depth import load_depth
from image_to_3d.io.gaussian_files import read_scene, write_scene
from image_to_3d.io.photo import load_photo
from image_to_3d.io.ply import write_ply
from image_to_3d.io.splat import read_splat, write_splat
from image_to_3d.io.spz import read_spz, write_spz


def random_cloud(n: int = 200, seed: int = 0, **changes) -> GaussianCloud:
    rng = np.random.default_rng(seed)
    values = {
        "positions": rng.normal((0, 0, 3), 1, (n, 3)),
        "scales": np.exp(rng.uniform(-6, -1, (n, 3))),
        "rotations": quaternion.normalise(rng.normal(size=(n, 4))),
        "colours": rng.random((n, 3)),
        "opacities": rng.uniform(0, 1, n),
        **changes,
    }
    return GaussianCloud(**values)


def angles(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Degrees between rotations (N, 4)."""
    return np.degrees(2 * np.arccos(np.clip(np.abs((a.astype(float) * b).sum(1)), 0, 1)))


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 60))
def test_spz_keeps_what_its_digits_can_hold(tmp_path_factory, seed, n):
    path = tmp_path_factory.mktemp("spz") / "c.spz"
    cloud = random_cloud(n, seed)
    write_spz(path, cloud)
    back = read_spz(path)
    assert np.abs(back.positions - cloud.positions).max() <= 0.5 / 4096 + 1e-6
    assert np.abs(np.log(back.scales / cloud.scales)).max() <= 0.5 / 16 + 1e-5
    assert angles(back.rotations, cloud.rotations).max() < 0.4
    assert np.abs(linear_to_srgb(back.colours) - linear_to_srgb(cloud.colours)).max() <= 1 / 255
    assert np.abs(back.opacities - cloud.opacities).max() <= 0.5 / 255 + 1e-6


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 60))
def test_splat_keeps_what_its_digits_can_hold_and_sorts(tmp_path_factory, seed, n):
    path = tmp_path_factory.mktemp("splat") / "c.splat"
    cloud = random_cloud(n, seed)
    write_splat(path, cloud)
    back = read_splat(path)
    order = np.argsort(-cloud.scales.astype(float).prod(1) * cloud.opacities, kind="stable")
    assert np.array_equal(back.positions, cloud.positions[order])
    assert np.array_equal(back.scales, cloud.scales[order])
    assert angles(back.rotations, cloud.rotations[order]).max() < 1.5
    assert np.abs(linear_to_srgb(back.colours) - linear_to_srgb(cloud.colours[order])).max() <= 0.5 / 255 + 1e-6
    assert np.abs(back.opacities - cloud.opacities[order]).max() <= 0.5 / 255 + 1e-6


def test_bytes_of_a_splat_row(tmp_path):
    cloud = GaussianCloud(
        np.array([[1, 2, 3.0]]),
        np.array([[0.1, 0.2, 0.3]]),
        np.array([[0.5, -0.5, 0.5, 0.5]]),
        srgb_to_linear(np.array([[255, 128, 0]]) / 255),
        np.array([0.2]),
    )
    write_splat(tmp_path / "c.splat", cloud)
    expected = struct.pack("<6f8B", 1, 2, 3, 0.1, 0.2, 0.3, 255, 128, 0, 51, 192, 64, 192, 192)
    assert (tmp_path / "c.splat").read_bytes() == expected


def spz_bytes(version=3, count=1, degree=0, bits=12, body=b"", magic=0x5053474E) -> bytes:
    return gzip.compress(struct.pack("<IIIBBBB", magic, version, count, degree, bits, 0, 0) + body)


def row(rotation: bytes) -> bytes:
    """A Gaussian at (1, −2, 3) m with y down and z forward, 1 m large, half transparent, grey."""
    position = b"".join(int(v * 4096).to_bytes(3, "little", signed=True) for v in (1, 2, -3))
    return position + bytes([128]) + bytes([128] * 3) + bytes([160] * 3) + rotation


def check_row(cloud: GaussianCloud, wxyz) -> None:
    assert cloud.positions.tolist() == [[1, -2, 3]]
    assert np.allclose(cloud.scales, 1) and cloud.opacities[0] == pytest.approx(128 / 255)
    assert np.allclose(linear_to_srgb(cloud.colours), 0.5, atol=0.005)
    assert angles(cloud.rotations, quaternion.normalise(np.array([wxyz], float)))[0] < 1.0


def test_bytes_of_spz_2(tmp_path):
    """A quaternion (x, y, z) = (0.5, −0.5, 0.5), w = 0.5 with y up becomes (0.5, 0.5, −0.5) with y down; harmonics are skipped."""
    stored = bytes([round(127.5 * (1 + q)) for q in (0.5, -0.5, 0.5)])
    (tmp_path / "c.spz").write_bytes(spz_bytes(2, degree=1, body=row(stored) + bytes(9)))
    check_row(read_spz(tmp_path / "c.spz"), (0.5, 0.5, 0.5, -0.5))


@pytest.mark.parametrize("largest", range(4))
def test_bytes_of_spz_3(tmp_path, largest):
    """The published packing, component after component: two bits of place, then sign and nine bits of each other one."""
    xyzw = np.array([0.3, -0.4, 0.2, -0.1])
    xyzw[largest] = np.sqrt(1 - (np.delete(xyzw, largest) ** 2).sum())
    packed = largest
    for i in range(4):
        if i != largest:
            packed = packed << 10 | int(xyzw[i] < 0) << 9 | round(511 * abs(xyzw[i]) * np.sqrt(2))
    (tmp_path / "c.spz").write_bytes(spz_bytes(body=row(packed.to_bytes(4, "little"))))
    x, y, z, w = xyzw
    check_row(read_spz(tmp_path / "c.spz"), (w, x, -y, -z))
    # and what is read is written again, bit for bit
    cloud = read_spz(tmp_path / "c.spz")
    write_spz(tmp_path / "d.spz", cloud)
    again = gzip.decompress((tmp_path / "d.spz").read_bytes())
    assert again == gzip.decompress((tmp_path / "c.spz").read_bytes())


def test_far_points_take_fewer_fractional_bits(tmp_path):
    cloud = random_cloud(3, positions=np.array([[0, 0, 1.0], [0, -30_000, 4], [0, 0, 5000]]))
    write_spz(tmp_path / "far.spz", cloud)
    assert np.abs(read_spz(tmp_path / "far.spz").positions - cloud.positions).max() <= 0.5 / 256
    with pytest.raises(ImageTo3DError, match="km away"):
        write_spz(tmp_path / "farther.spz", replace(cloud, positions=cloud.positions * np.float32(1e3)))
    assert not (tmp_path / "farther.spz").exists()


@pytest.mark.parametrize(("suffix", "psnr"), [(".splat", 45), (".spz", 45)])
def test_the_sample_looks_the_same_after_a_round_trip(tmp_path, sample: Path, suffix, psnr):
    from image_to_3d.render import Instance
    from image_to_3d.render.cpu import CpuRenderer

    photo = load_photo(sample / "photo.jpg")
    cloud = lift(photo.pixels, load_depth(sample / "depth_mm.png"), photo.intrinsics)
    write_scene(tmp_path / f"room{suffix}", cloud)
    camera = Camera.at_origin(photo.intrinsics)
    renderer = CpuRenderer()
    before, after = (
        linear_to_srgb(np.clip(renderer.render([Instance(c)], camera).colour, 0, 1))
        for c in (cloud, read_scene(tmp_path / f"room{suffix}"))
    )
    measured = -10 * np.log10(float(((before - after) ** 2).mean()))
    print(f"{suffix}: {measured:.1f} dB, {(tmp_path / f'room{suffix}').stat().st_size / len(cloud):.1f} bytes a point")
    assert measured > psnr


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("a.splat", b"", "empty"),
        ("a.splat", bytes(33), "33 bytes"),
        ("a.splat", b"\xff" * 64, "finite"),
        ("a.splat", struct.pack("<6f8B", 0, 0, 1, -1, 1, 1, *[128] * 8), "negative"),
        ("a.spz", b"", "header"),
        ("a.spz", b"not compressed", "damaged"),
        ("a.spz", b"NGSP\x04\0\0\0" + bytes(20), "version 4"),
        ("a.spz", b"NGSP", "version"),
        ("a.spz", gzip.compress(b"PK" * 20), "no .spz file"),
        ("a.spz", spz_bytes(1, body=bytes(40)), "version 1"),
        ("a.spz", spz_bytes(count=0), "no points"),
        ("a.spz", spz_bytes(count=2, body=bytes(20)), "ends early"),
        ("a.spz", spz_bytes(count=4_000_000_000, body=bytes(20)), "makes no sense"),
        ("a.spz", spz_bytes(bits=200, body=bytes(20)), "makes no sense"),
        ("a.spz", spz_bytes(count=1000, body=bytes(20_000))[:40], "damaged"),
        ("a.xyz", b"1 2 3", "suffixes"),
    ],
)
def test_unusable_files_get_one_sentence(tmp_path, name, data, says):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ImageTo3DError) as caught:
        read_scene(tmp_path / name)
    assert says in str(caught.value) and name in caught.value.message and "\n" not in str(caught.value)
    assert caught.value.message.endswith(".") and caught.value.hint


@pytest.mark.parametrize("suffix", [".ply", ".splat", ".spz"])
def test_missing_files_get_one_sentence(tmp_path, suffix):
    with pytest.raises(ImageTo3DError, match="no such file"):
        read_scene(tmp_path / f"nothing{suffix}")


@settings(max_examples=60)
@given(data=st.binary(max_size=200), suffix=st.sampled_from([".splat", ".spz"]), packed=st.booleans())
def test_any_bytes_become_a_cloud_or_a_sentence(tmp_path_factory, data, suffix, packed):
    path = tmp_path_factory.mktemp("any") / f"a{suffix}"
    path.write_bytes(gzip.compress(struct.pack("<II", 0x5053474E, 3) + data) if packed else data)
    try:
        assert len(read_scene(path))
    except ImageTo3DError as error:
        assert error.hint and "\n" not in str(error)


def test_the_command_converts_renders_and_refuses(tmp_path, capsys):
    cloud = random_cloud(300, intrinsics=Intrinsics.centred(60, 64, 48))
    write_ply(tmp_path / "a.ply", cloud)
    for suffix in (".spz", ".splat"):
        assert main(["convert", str(tmp_path / "a.ply"), str(tmp_path / f"b{suffix}")]) == 0
        assert len(read_scene(tmp_path / f"b{suffix}")) == 300
    assert "300 Gaussians" in capsys.readouterr().out
    assert main(["convert", str(tmp_path / "b.spz"), str(tmp_path / "c.ply"), "--format", "ply-full"]) == 0
    assert np.allclose(read_scene(tmp_path / "c.ply").positions, cloud.positions, atol=2e-4)
    assert main(["convert", str(tmp_path / "b.spz"), str(tmp_path / "c.ply")]) == 2, "it exists"
    assert main(["convert", str(tmp_path / "b.spz"), str(tmp_path / "c.ply"), "--overwrite"]) == 0
    assert main(["convert", str(tmp_path / "a.ply"), str(tmp_path / "c.obj")]) == 2
    assert "suffixes" in capsys.readouterr().err
    pictures = ["render", str(tmp_path / "b.spz"), "-o", str(tmp_path / "out"), "--frames", "1", "--write", "png"]
    assert main([*pictures, "--renderer", "cpu"]) == 0
    assert list((tmp_path / "out").glob("**/*.png"))
    assert main(["measure", str(tmp_path / "b.splat")]) == 2
    assert "picture grid" in capsys.readouterr().err
