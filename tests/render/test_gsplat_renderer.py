"""gsplat is called as its version 1.5.3 wants to be, and every way in which it cannot work is one sentence.

No GPU is needed: a stand-in with gsplat's signature draws with the reference renderer.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import inspect
import sys
import types

import numpy as np
import pytest
import torch

from image_to_3d.core import Camera, ImageTo3DError, Intrinsics
from image_to_3d.core.cameras.trajectories import look_at
from image_to_3d.render import Instance, RenderSettings, choose_renderer, gsplat_renderer
from image_to_3d.render.gsplat_renderer import GsplatRenderer, probe
from image_to_3d.render.reference import ReferenceRenderer
from raster_golden import Arrays
from render_scenes import random_camera, random_cloud

CALLS: list[dict] = []


def rasterization(
    means, quats, scales, opacities, colors, viewmats, Ks, width, height, near_plane=0.01, far_plane=1e10, radius_clip=0.0,
    eps2d=0.3, sh_degree=None, packed=True, tile_size=16, backgrounds=None, render_mode="RGB", sparse_grad=False, absgrad=False,
    rasterize_mode="classic", channel_chunk=32, distributed=False, camera_model="pinhole", segmented=False, covars=None,
    with_ut=False, with_eval3d=False, radial_coeffs=None, tangential_coeffs=None, thin_prism_coeffs=None, ftheta_coeffs=None,
    rolling_shutter=None, viewmats_rs=None,
):  # fmt: skip
    """The arguments of gsplat 1.5.3; draws with the reference renderer."""
    CALLS.append(dict(locals()))
    n = len(means)
    assert n > 0, "gsplat divides by the number of Gaussians"
    if covars is not None:
        assert covars.shape == (n, 3, 3) and quats is None and scales is None
        variances, axes = torch.linalg.eigh(covars.double())
        axes[torch.linalg.det(axes) < 0, :, 0] *= -1
        from image_to_3d.core.cloud.quaternion import from_matrix

        quats = torch.as_tensor(from_matrix(axes.numpy()))
        scales = variances.clamp(min=0).sqrt()
    assert means.shape == (n, 3) and quats.shape == (n, 4) and scales.shape == (n, 3)
    assert opacities.shape == (n,) and colors.shape == (n, 3)
    assert viewmats.shape == (1, 4, 4) and Ks.shape == (1, 3, 3) and viewmats.dtype == Ks.dtype == torch.float32
    assert sh_degree is None and backgrounds is None and rasterize_mode == "classic" and radius_clip == 0
    K = Ks[0].double().numpy()
    intrinsics = Intrinsics(K[0, 0], K[1, 1], K[0, 2], K[1, 2], width, height)
    camera = Camera(intrinsics, viewmats[0].numpy(), camera_model == "ortho", near_plane, far_plane)
    splats = Arrays(*(t.numpy() for t in (means, quats, scales, opacities, colors)))
    frame = ReferenceRenderer().render([Instance(splats)], camera, RenderSettings(eps2d=eps2d))
    channels = [frame.colour] + ([frame.depth[..., None]] if render_mode == "RGB+D" else [])
    return torch.as_tensor(np.concatenate(channels, -1))[None], torch.as_tensor(frame.alpha[None, ..., None]), {}


@pytest.fixture
def fake_gsplat(monkeypatch):
    """Modules as gsplat's wheel has them, with the compiled part present."""
    CALLS.clear()
    package, cuda = types.ModuleType("gsplat"), types.ModuleType("gsplat.cuda")
    csrc, backend = types.ModuleType("gsplat.csrc"), types.ModuleType("gsplat.cuda._backend")
    for module in (package, cuda, csrc, backend):
        module.__spec__ = importlib.machinery.ModuleSpec(module.__name__, None, origin=f"{module.__name__}.so")
        monkeypatch.setitem(sys.modules, module.__name__, module)
    package.__path__ = []
    package.rasterization, backend._C = rasterization, csrc
    return types.SimpleNamespace(package=package, csrc=csrc, backend=backend)


@pytest.fixture
def fake_cuda(monkeypatch):
    """A PyTorch that sees a GPU."""
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)


@pytest.fixture
def no_compiled_part(monkeypatch, fake_gsplat):
    monkeypatch.delitem(sys.modules, "gsplat.csrc")
    monkeypatch.setattr(gsplat_renderer, "_prebuilt_problem", lambda: None)


def _tools(monkeypatch, tmp_path, names: dict[str, str], platform: str = "linux") -> None:
    """A PATH on which only these programs are."""
    for name, text in names.items():
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\necho '{text}'\n")
        program.chmod(0o755)
    monkeypatch.setattr(sys, "platform", platform)
    for variable in ("CUDA_HOME", "CUDA_PATH", "CXX"):
        monkeypatch.delenv(variable, raising=False)
    which = {name: str(tmp_path / name) for name in names}
    monkeypatch.setattr(gsplat_renderer.shutil, "which", lambda name, path=None: which.get(name))
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ninja" else find_spec(name))


NVCC = "Cuda compilation tools, release 12.6, V12.6.20"
ALL_TOOLS = {"nvcc": NVCC, "ninja": "", "c++": "", "cl": ""}


def test_pytorch_without_cuda_is_a_sentence(monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", None)
    assert "built without CUDA" in probe()


def test_no_gpu_is_a_sentence(monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "no usable NVIDIA GPU" in probe()


def test_missing_gsplat_is_a_sentence(monkeypatch, fake_cuda):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "gsplat is not installed" in probe()


def test_compiled_part_of_another_pytorch_is_a_sentence(monkeypatch, fake_cuda, fake_gsplat):
    find_spec, import_module = importlib.util.find_spec, importlib.import_module

    def broken(name):
        if name == "gsplat.csrc":
            raise ImportError("undefined symbol: _ZN3c10\nmore")
        return import_module(name)

    monkeypatch.setattr(importlib, "import_module", broken)
    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    assert "does not fit this PyTorch (undefined symbol: _ZN3c10)" in probe()


@pytest.mark.parametrize(
    ("missing", "platform", "words"),
    [
        ("nvcc", "linux", "no CUDA compiler (nvcc)"),
        ("ninja", "linux", "ninja is missing"),
        ("c++", "linux", "no C++ compiler"),
        ("cl", "win32", "Microsoft's compiler (cl)"),
    ],
)
def test_a_missing_build_tool_is_a_sentence(
    monkeypatch, tmp_path, fake_cuda, no_compiled_part, missing, platform, words
):
    _tools(monkeypatch, tmp_path, {k: v for k, v in ALL_TOOLS.items() if k != missing}, platform)
    assert words in probe()


def test_toolkit_of_another_major_version_is_a_sentence(monkeypatch, tmp_path, fake_cuda, no_compiled_part):
    _tools(monkeypatch, tmp_path, {**ALL_TOOLS, "nvcc": "Cuda compilation tools, release 13.0, V13.0.48"})
    assert "toolkit is 13.0 and PyTorch is built for 12.8" in probe()


def test_all_tools_present_is_fine(monkeypatch, tmp_path, fake_cuda, no_compiled_part):
    _tools(monkeypatch, tmp_path, ALL_TOOLS)
    assert probe() is None


def test_prebuilt_gsplat_needs_no_tools(monkeypatch, tmp_path, fake_cuda, fake_gsplat):
    _tools(monkeypatch, tmp_path, {})
    assert probe() is None


def test_auto_falls_back_and_says_why(monkeypatch):
    monkeypatch.setattr(gsplat_renderer, "probe", lambda: "No GPU today.")
    renderer, sentence = choose_renderer("auto")
    assert renderer.name == "cpu" and "No GPU today." in sentence
    with pytest.raises(ImageTo3DError, match="No GPU today"):
        choose_renderer("gsplat")
    with pytest.raises(ImageTo3DError, match="no renderer 'opengl'"):
        choose_renderer("opengl")


def test_auto_takes_the_gpu_and_survives_a_failing_build(monkeypatch, fake_gsplat):
    monkeypatch.setattr(gsplat_renderer, "probe", lambda: None)
    assert choose_renderer("auto")[0].name == "gsplat"
    fake_gsplat.backend._C = None
    renderer, sentence = choose_renderer("auto")
    assert renderer.name == "cpu" and "no CUDA toolkit" in sentence


@pytest.mark.parametrize("seed", range(3))
def test_same_picture_as_the_reference(fake_gsplat, seed):
    cloud, camera, settings = random_cloud(seed), random_camera(seed), RenderSettings(eps2d=0.1 * seed)
    frame = GsplatRenderer("cpu").render([Instance(cloud)], camera, settings)
    expected = ReferenceRenderer().render([Instance(cloud)], camera, settings)
    assert np.quantile(np.abs(frame.colour - expected.colour), 0.999) < 1e-4
    assert np.quantile(np.abs(frame.depth - expected.depth), 0.999) < 1e-3
    assert CALLS[-1]["packed"] is False and CALLS[-1]["render_mode"] == "RGB+D"


def _transforms():
    turned = np.eye(4)
    turned[:3, :3] = 1.3 * look_at([0, 0, 0], [0.2, 0.1, 1])[:3, :3]
    turned[:3, 3] = [0.1, -0.1, 0.4]
    stretched = np.diag([1.5, 0.7, 1.0, 1.0])
    return {"similar": (np.eye(4), turned), "stretched": (turned, stretched)}


@pytest.mark.parametrize("kind", ["similar", "stretched"])
def test_placed_clouds_are_merged_as_the_reference_has_them(fake_gsplat, kind):
    camera, (a, b) = random_camera(1), _transforms()[kind]
    instances = [Instance(random_cloud(1, 100), a), Instance(random_cloud(2, 100), b)]
    frame = GsplatRenderer("cpu").render(instances, camera)
    expected = ReferenceRenderer().render(instances, camera)
    assert ("covars" in CALLS[-1] and CALLS[-1]["covars"] is not None) == (kind == "stretched")
    assert np.quantile(np.abs(frame.colour - expected.colour), 0.999) < 1e-3
    assert np.abs(frame.colour - expected.colour).mean() < 1e-5


def test_parallel_projection_empty_scene_and_no_depth(fake_gsplat):
    renderer = GsplatRenderer("cpu")
    camera = Camera.orthographic_view(3.0, 40, 30, np.eye(4))
    renderer.render([Instance(random_cloud(1))], camera, RenderSettings(passes=("colour",)))
    assert CALLS[-1]["camera_model"] == "ortho" and CALLS[-1]["render_mode"] == "RGB"
    empty = random_cloud(1).select(np.zeros(300, bool))
    assert not renderer.render([Instance(empty)], camera, RenderSettings()).alpha.any()
    painted = renderer.render([], camera, RenderSettings(background=(1.0, 0.0, 0.0)))
    assert (painted.colour == [1, 0, 0]).all()


def test_a_cloud_is_uploaded_once(fake_gsplat):
    renderer, cloud = GsplatRenderer("cpu"), random_cloud(1)
    for seed in range(3):
        renderer.render([Instance(cloud)], random_camera(seed))
    assert all(call["means"] is CALLS[0]["means"] for call in CALLS)
    del cloud
    assert len(renderer._resident) == 0, "GPU memory is given back with the cloud"


@pytest.mark.skipif(importlib.util.find_spec("gsplat") is None, reason="gsplat is not installed")
def test_the_stand_in_has_gsplats_signature():
    source = importlib.import_module("gsplat.rendering").rasterization
    assert list(inspect.signature(rasterization).parameters) == list(inspect.signature(source).parameters)


@pytest.mark.cuda
@pytest.mark.skipif(probe() is not None, reason="no CUDA renderer here")
@pytest.mark.parametrize("seed", range(4))
def test_on_a_gpu_the_picture_is_that_of_the_cpu_renderer(seed):
    from image_to_3d.render.cpu import CpuRenderer

    instances, camera = [Instance(random_cloud(seed, 2000))], random_camera(seed, 320, 240)
    frame, expected = GsplatRenderer().render(instances, camera), CpuRenderer().render(instances, camera)
    for name in ("colour", "alpha", "depth"):
        difference = np.abs(getattr(frame, name) - getattr(expected, name))
        assert np.quantile(difference, 0.99) < 2e-3 and difference.mean() < 1e-4, name
