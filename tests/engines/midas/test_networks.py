"""The networks give what the published programs give, and load the published checkpoints by name."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from image_to_3d.core.errors import ErrorCode, ImageTo3DError
from image_to_3d.engines.checkpoints import read_tensors
from image_to_3d.engines.midas.config import DPTConfig, SmallConfig
from image_to_3d.engines.midas.network_dpt import DPTNetwork, resize_position_embedding
from image_to_3d.engines.midas.network_small import SmallNetwork
from image_to_3d.engines.midas.preprocessing import prepare
from image_to_3d.engines.midas.state_dict import load_network
from midas_recipe import GOLDEN, make_picture, make_state_dict

TINY = DPTConfig(width=32, depth=4, heads=2, grid=2, taps=(0, 1, 2, 3), stage_dims=(8, 12, 16, 20), features=16)
SMALL_SIZES = ["480x640", "640x480", "256x256", "333x1023", "97x61"]
LARGE_SIZES = ["384x384", "480x640", "640x480", "320x500"]


def _ignore(fraction: float) -> None:
    del fraction


def _compare(values: np.ndarray, expected: np.ndarray) -> None:
    assert values.shape == expected.shape
    np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def _golden(name: str) -> np.lib.npyio.NpzFile:
    if not GOLDEN.is_dir():
        pytest.skip("the reference tensors (shared/golden/midas) are absent")
    return np.load(GOLDEN / name)


@pytest.fixture(scope="module")
def small(small_checkpoint) -> SmallNetwork:
    return load_network(small_checkpoint, lambda: SmallNetwork(SmallConfig()))


def _check_all(network, golden: np.lib.npyio.NpzFile, size: str, strides: dict[str, int]) -> None:
    picture = make_picture(*map(int, size.split("x")))
    image = torch.from_numpy(prepare(picture, network.config.preprocessing))
    with torch.inference_mode():
        out = network(image, _ignore)
    full = torch.nn.functional.interpolate(out[:, None], picture.shape[:2], mode="bicubic", align_corners=False)
    made = {"net_in": image, "net_out": out, "full": full[:, 0]}
    checked = 0
    for name, stride in strides.items():
        if f"{size}:{name}" in golden:
            values = made[re.sub(r"_s(tride)?\d$", "", name)][..., ::stride, ::stride]
            _compare(values.numpy(), golden[f"{size}:{name}"])
            checked += 1
    assert checked >= 2


@pytest.mark.parametrize("size", SMALL_SIZES)
def test_small_network_gives_the_published_output(small, size):
    strides = {"net_in": 1, "net_in_stride4": 4, "net_out": 1, "full": 1, "full_stride8": 8}
    _check_all(small, _golden("midas_small_golden.npz"), size, strides)


def test_small_encoder_gives_the_published_features(small):
    golden = _golden("midas_small_golden.npz")
    image = torch.from_numpy(prepare(make_picture(97, 61), small.config.preprocessing))
    with torch.inference_mode():
        for level, features in enumerate(small.pretrained(image), start=1):
            _compare(features[:, ::4, ::2, ::2].numpy(), golden[f"97x61:layer{level}_s"])


@pytest.mark.slow
def test_large_network_gives_the_published_output(official_shapes, tmp_path):
    golden = _golden("dpt_large_golden.npz")
    torch.save(make_state_dict(official_shapes("dpt-large")), tmp_path / "dpt_large_384.pt")
    network = load_network(tmp_path / "dpt_large_384.pt", lambda: DPTNetwork(DPTConfig()))
    for size in LARGE_SIZES:
        _check_all(network, golden, size, {"net_in_stride8": 8, "net_out_s2": 2, "full_s8": 8})


@pytest.mark.parametrize(
    ("engine", "network"),
    [("midas-small", lambda: SmallNetwork(SmallConfig())), ("dpt-large", lambda: DPTNetwork(DPTConfig()))],
)
def test_every_tensor_of_the_published_checkpoint_is_used_or_listed_as_unused(official_shapes, engine, network):
    with torch.device("meta"):
        built = network()
    own = {name: tuple(tensor.shape) for name, tensor in built.state_dict().items()}
    official = official_shapes(engine)
    unused = {n for n in official if any(re.fullmatch(p, n) for p in built.UNUSED_TENSORS)}
    assert own == {name: shape for name, shape in official.items() if name not in unused}
    assert unused  # both files hold tensors without a use


def _tiny() -> DPTNetwork:
    return DPTNetwork(TINY)


@pytest.fixture
def tiny_tensors() -> dict[str, torch.Tensor]:
    return make_state_dict({name: tensor.shape for name, tensor in _tiny().state_dict().items()})


def test_transformer_takes_any_multiple_of_32(tiny_tensors):
    network = _tiny().eval()
    network.load_state_dict(tiny_tensors)
    progress: list[float] = []
    with torch.inference_mode():
        for height, width in ((32, 32), (64, 96), (32, 160)):
            out = network(torch.zeros(2, 3, height, width), progress.append)
            assert out.shape == (2, height, width)
            assert (out >= 0).all()
    assert progress[:4] == sorted(progress[:4])
    assert len(progress) == 3 * TINY.depth


def test_pictures_of_one_batch_do_not_influence_each_other(tiny_tensors):
    network = _tiny().eval()
    network.load_state_dict(tiny_tensors)
    pair = torch.from_numpy(np.random.default_rng(1).normal(size=(2, 3, 64, 64)).astype(np.float32))
    with torch.inference_mode():
        together, alone = network(pair, _ignore), network(pair[1:], _ignore)
    torch.testing.assert_close(together[1:], alone)


def test_position_embedding_of_the_original_grid_is_untouched_and_a_ramp_stays_a_ramp():
    rows = torch.arange(4.0)[:, None].expand(4, 4).reshape(1, 16, 1)
    embedding = torch.cat([torch.full((1, 1, 1), 7.0), rows], dim=1)
    assert resize_position_embedding(embedding, 4, 4, 4) is embedding
    resized = resize_position_embedding(embedding, 4, 8, 3)
    assert resized[0, 0, 0] == 7.0
    inner = resized[0, 1:, 0].reshape(8, 3)[1:-1]
    torch.testing.assert_close(inner, (torch.arange(1.0, 7.0) * 0.5 - 0.25)[:, None].expand(6, 3))


def test_training_states_and_files_without_counters_load(tiny_tensors, tmp_path):
    torch.save({"optimizer": {}, "model": tiny_tensors}, tmp_path / "training.pt")
    network = load_network(tmp_path / "training.pt", _tiny)
    torch.testing.assert_close(network.state_dict(), tiny_tensors)


def test_small_checkpoint_without_batch_counters_loads(small, small_checkpoint, tmp_path):
    tensors = {
        n: t for n, t in read_tensors(small_checkpoint, "midas-small").items() if not n.endswith("num_batches_tracked")
    }
    torch.save(tensors, tmp_path / "old.pt")
    loaded = load_network(tmp_path / "old.pt", lambda: SmallNetwork(SmallConfig()))
    torch.testing.assert_close(loaded.state_dict(), small.state_dict())


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda t: t.pop("pretrained.model.cls_token"), "missing: pretrained.model.cls_token"),
        (lambda t: t.update(extra=torch.zeros(1)), "unknown: extra"),
        (lambda t: t.update({"pretrained.model.cls_token": torch.zeros(1)}), "wrong shape: pretrained.model.cls_token"),
    ],
)
def test_a_checkpoint_of_another_network_is_refused_with_names(tiny_tensors, tmp_path, change, word):
    change(tiny_tensors)
    torch.save(tiny_tensors, tmp_path / "other.pt")
    with pytest.raises(ImageTo3DError) as caught:
        load_network(tmp_path / "other.pt", _tiny)
    assert caught.value.code is ErrorCode.WEIGHTS_MISSING
    assert word in caught.value.message


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 cut off"])
def test_a_damaged_file_is_one_sentence(tmp_path, content):
    (tmp_path / "bad.pt").write_bytes(content)
    with pytest.raises(ImageTo3DError) as caught:
        load_network(tmp_path / "bad.pt", _tiny)
    assert caught.value.code is ErrorCode.WEIGHTS_MISSING
    assert "\n" not in caught.value.message


def test_an_absent_file_and_a_file_without_tensors_are_told(tmp_path):
    with pytest.raises(ImageTo3DError, match="no checkpoint"):
        read_tensors(tmp_path / "absent.pt", "midas-small")
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(ImageTo3DError, match="no flat table of tensors"):
        read_tensors(tmp_path / "list.pt", "midas-small")
