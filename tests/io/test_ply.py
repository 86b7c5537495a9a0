"""PLY files of 3D Gaussians: ours survive the round trip, SHARP's layout is met, others are read or refused in words."""

from __future__ import annotations

import json
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plyfile import PlyData, PlyElement

from image_to_3d.core import GaussianCloud, Grid, Intrinsics, Provenance
from image_to_3d.core.cloud import quaternion
from image_to_3d.core.cloud.lifting import lift
from image_to_3d.core.errors import ImageTo3DError
from image_to_3d.io.ply import PROPERTIES, read_ply, write_ply

CAMERA = Intrinsics(50.0, 50.0, 10.0, 8.0, 20, 16)


def random_cloud(n=50, seed=0, **changes):
    rng = np.random.default_rng(seed)
    values = {
        "positions": rng.normal(size=(n, 3)),
        "scales": np.exp(rng.normal(-4, 1, (n, 3))),
        "rotations": quaternion.normalise(rng.normal(size=(n, 4))),
        "colours": rng.random((n, 3)),
        "opacities": rng.uniform(0.01, 0.99, n),
        "intrinsics": CAMERA,
        **changes,
    }
    return GaussianCloud(**values)


def assert_same(a: GaussianCloud, b: GaussianCloud) -> None:
    assert np.array_equal(a.positions, b.positions)
    assert np.allclose(a.scales, b.scales, rtol=2e-6)
    assert np.allclose(a.rotations, b.rotations, atol=1e-6)
    assert np.allclose(a.colours, b.colours, atol=1e-6)
    assert np.allclose(a.opacities, b.opacities, atol=1e-6)


@pytest.mark.parametrize("layout", ["ply", "ply-full"])
@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 60))
def test_round_trip(tmp_path_factory, layout, seed, n):
    path = tmp_path_factory.mktemp("ply") / "c.ply"
    cloud = random_cloud(n, seed)
    write_ply(path, cloud, layout)
    back = read_ply(path)
    assert_same(cloud, back)
    assert back.intrinsics == CAMERA


@pytest.mark.parametrize("layout", ["ply", "ply-full"])
@pytest.mark.parametrize("holes", [False, True])
def test_the_picture_grid_survives(tmp_path, layout, holes):
    depth = np.full((16, 20), 2.0)
    if holes:
        depth[3:7, 5:9] = np.nan
    cloud = lift(np.full((16, 20, 3), 90, np.uint8), depth, CAMERA)
    write_ply(tmp_path / "c.ply", cloud, layout)
    back = read_ply(tmp_path / "c.ply")
    assert back.grid == Grid(1, 16, 20)
    assert np.array_equal(back.cells(), cloud.cells())


def test_clean_layout_has_nothing_that_breaks_other_programs(tmp_path):
    write_ply(tmp_path / "c.ply", random_cloud(provenance=Provenance("sharp", photo="bed room.jpg")))
    header = (tmp_path / "c.ply").read_bytes().split(b"end_header\n")[0].decode("ascii").splitlines()
    assert [line for line in header if line.startswith("element")] == ["element vertex 50"]
    assert len("\n".join(header)) < 1024
    assert [line.split()[-1] for line in header if line.startswith("property")] == list(PROPERTIES)


def test_published_layout_byte_for_byte_where_arithmetic_does_not_round(shared, tmp_path):
    golden = json.loads((shared / "golden/sharp/extra_golden.json").read_text())["ply"]
    source = shared / "golden/sharp/micro_landscape.ply"
    cloud = read_ply(source)
    assert cloud.grid == Grid(2, 64, 64)
    write_ply(tmp_path / "c.ply", cloud, "ply-full")
    theirs, ours = source.read_bytes(), (tmp_path / "c.ply").read_bytes()
    assert zlib.crc32(theirs) == golden["crc32"] and len(ours) == golden["bytes"]
    start = len(golden["header"])
    end = start + 8192 * 56
    assert ours[:start].decode() == golden["header"]
    assert ours[end:].hex() == golden["tail_hex_after_vertices"]
    a, b = (np.frombuffer(x[start:end], "<f4").reshape(-1, 14) for x in (theirs, ours))
    assert np.array_equal(a[:, :3], b[:, :3]) and np.abs(a - b).max() < 1e-6


def vertex_table(n=5, **columns):
    names = [*PROPERTIES, *[k for k in columns if k not in PROPERTIES]]
    table = np.zeros(n, [(name, "f4") for name in names])
    table["rot_0"] = 1
    table["z"] = 1
    for name, values in columns.items():
        table[name] = values
    return table


@pytest.mark.parametrize("options", [{"text": True}, {"byte_order": ">"}, {"byte_order": "<"}])
def test_files_of_other_programs(tmp_path, options):
    table = vertex_table(nx=0, ny=0, nz=1, f_rest_0=9, f_rest_1=9, x=[1, 2, 3, 4, 5], rot_0=3)
    PlyData([PlyElement.describe(table, "vertex")], **options).write(str(tmp_path / "o.ply"))
    cloud = read_ply(tmp_path / "o.ply")
    assert cloud.positions[:, 0].tolist() == [1, 2, 3, 4, 5]
    assert cloud.grid is None and cloud.intrinsics is None
    assert np.allclose(cloud.rotations, [1, 0, 0, 0])  # normalised
    assert np.allclose(cloud.colours, 0.21404114, atol=1e-6)  # sRGB 0.5


def test_linear_colour_tag_is_honoured(tmp_path):
    tag = PlyElement.describe(np.array([(1,)], [("color_space", "u1")]), "color_space")
    PlyData([PlyElement.describe(vertex_table(), "vertex"), tag]).write(str(tmp_path / "l.ply"))
    assert np.allclose(read_ply(tmp_path / "l.ply").colours, 0.5)


def test_infinite_logits_are_certain_and_broken_rows_are_left_out(tmp_path, caplog):
    table = vertex_table(opacity=[np.inf, -np.inf, 0, 0, 0], x=[0, 0, np.nan, 0, 0], scale_1=[0, 0, 0, 100, 0])
    PlyData([PlyElement.describe(table, "vertex")]).write(str(tmp_path / "n.ply"))
    cloud = read_ply(tmp_path / "n.ply")
    assert cloud.opacities.tolist() == [1.0, 0.0, 0.5]
    assert "2 of 5" in caplog.text


def element(**columns):
    n = len(next(iter(columns.values())))
    table = np.zeros(n, [(name, "f4") for name in columns])
    return PlyElement.describe(table, "vertex")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda p: p.write_bytes(b"no ply"), "damaged"),
        (lambda p: p.write_bytes(b""), "damaged"),
        (lambda p: (write_ply(p, random_cloud()), p.write_bytes(p.read_bytes()[:-100])), "damaged"),
        (lambda p: PlyData([PlyElement.describe(vertex_table(0), "vertex")]).write(str(p)), "no points"),
        (lambda p: PlyData([element(x=[0], y=[0], z=[0])]).write(str(p)), "mesh or a plain point cloud"),
        (lambda p: PlyData([element(**{name: [0] for name in PROPERTIES[:-1]})]).write(str(p)), "rot_3"),
        (lambda p: PlyData([PlyElement.describe(vertex_table(x=np.nan), "vertex")]).write(str(p)), "finite"),
        (lambda p: PlyData([element(packed_position=[0])]).write(str(p)), "compressed"),
        (lambda p: None, "no such file"),
    ],
)
def test_unusable_files_get_one_sentence(tmp_path, make, says):
    path = tmp_path / "bad.ply"
    make(path)
    with pytest.raises(ImageTo3DError) as caught:
        read_ply(path)
    assert says in str(caught.value) and "bad.ply" in caught.value.message and "\n" not in str(caught.value)


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "c.ply"
    path.write_bytes(b"old")

    def full_disk(self, stream):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(PlyData, "write", full_disk)
    with pytest.raises(ImageTo3DError, match="No space left"):
        write_ply(path, random_cloud())
    assert [p.name for p in tmp_path.iterdir()] == ["c.ply"] and path.read_bytes() == b"old"
