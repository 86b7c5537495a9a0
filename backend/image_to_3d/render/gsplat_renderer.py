"""The picture on an NVIDIA GPU, by gsplat 1.5.3 (Ye et al., 2024), whose semantics the other renderers follow.

gsplat comes without compiled code for current versions of PyTorch: it is built on first use by nvcc and a C++ compiler, or brought
as a wheel that somebody built. :func:`probe` says before anything heavy happens whether that can work, in one sentence if not.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import logging
import os
import re
import shutil
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..core.cameras.camera import Camera
from ..core.cloud import quaternion
from ..core.errors import ErrorCode, ImageTo3DError
from .base import DEFAULT_SETTINGS, TILE, Frame, Instance, RenderSettings, Splats, make_frame

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

_INSTALL = "pip install 'image-to-3d[cuda]'"
_BUILD_JOBS = 4  # each compiler process takes up to 2.5 GB; gsplat's own default of 10 has exhausted machines


def probe() -> str | None:
    """Why gsplat cannot render here, as one sentence; None if it should work. Fast: nothing is built and no GPU memory is used."""
    try:
        torch = importlib.import_module("torch")
    except (ImportError, OSError) as error:
        return f"PyTorch cannot be loaded ({_first_line(error)})."
    if getattr(torch.version, "cuda", None) is None:
        return "This PyTorch is built without CUDA; install the CUDA build from pytorch.org to render on an NVIDIA GPU."
    if not torch.cuda.is_available():
        return "PyTorch finds no usable NVIDIA GPU; check that one is present and that its driver is recent enough."
    if importlib.util.find_spec("gsplat") is None:
        return f"gsplat is not installed; get it with: {_INSTALL}."
    compiled = _prebuilt_problem()
    return None if compiled == "" else (compiled or _build_problem(torch))


def _prebuilt_problem() -> str | None:
    """ "" if gsplat carries compiled code that loads, None if it carries none, else a sentence."""
    try:
        spec = importlib.util.find_spec("gsplat.csrc")  # imports the package gsplat, which builds nothing yet
    except (ImportError, OSError, AttributeError, RuntimeError) as error:
        return f"gsplat cannot be imported ({_first_line(error)}); install it again with: {_INSTALL}."
    if spec is None or spec.origin is None:
        return None
    try:
        importlib.import_module("gsplat.csrc")
    except (ImportError, OSError) as error:
        return (
            f"The compiled part of gsplat does not fit this PyTorch ({_first_line(error)}); "
            "build it with the oldest PyTorch it has to serve."
        )
    return ""


def _build_problem(torch: Any) -> str | None:
    """Why gsplat could not be built on first use; None if it could."""
    nvcc = _find_nvcc()
    if nvcc is None:
        return (
            f"gsplat has to be compiled and there is no CUDA compiler (nvcc); install the CUDA toolkit "
            f"{torch.version.cuda} or a prebuilt gsplat wheel."
        )
    if shutil.which("ninja") is None and importlib.util.find_spec("ninja") is None:
        return f"gsplat has to be compiled and the build tool ninja is missing; get it with: {_INSTALL}."
    if sys.platform == "win32":
        if shutil.which("cl") is None:
            return (
                "gsplat has to be compiled and Microsoft's compiler (cl) is not on the PATH; install the Visual Studio Build "
                "Tools with C++ and start from their x64 Native Tools prompt."
            )
    elif not any(shutil.which(name) for name in (os.environ.get("CXX", "c++"), "g++", "clang++")):
        return "gsplat has to be compiled and there is no C++ compiler; install g++."
    version = _nvcc_version(nvcc)
    if version is not None and version.split(".")[0] != torch.version.cuda.split(".")[0]:
        return (
            f"gsplat has to be compiled, but the CUDA toolkit is {version} and PyTorch is built for {torch.version.cuda}; "
            "install the toolkit of PyTorch's version."
        )
    return None


def _find_nvcc() -> str | None:
    for variable in ("CUDA_HOME", "CUDA_PATH"):
        home = os.environ.get(variable)
        if home:
            found = shutil.which("nvcc", path=str(Path(home) / "bin"))
            if found:
                return found
    return shutil.which("nvcc") or shutil.which("nvcc", path="/usr/local/cuda/bin")


def _nvcc_version(nvcc: str) -> str | None:
    try:
        text = subprocess.run([nvcc, "--version"], capture_output=True, text=True, timeout=20, check=False).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"release (\d+\.\d+)", text)
    return found.group(1) if found else None


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


@contextlib.contextmanager
def _announced(say: Callable[[str], None]) -> Iterator[None]:
    """Tell a person about a build that goes on for longer than loading what is built would."""
    notice = threading.Timer(
        5.0, say, ["Building the CUDA renderer (gsplat) for this GPU; this takes minutes and happens only once."]
    )
    notice.daemon = True
    notice.start()
    try:
        yield
    finally:
        notice.cancel()


def _load(say: Callable[[str], None]) -> Callable[..., Any]:
    """``gsplat.rasterization``, its CUDA part built or loaded.

    Raises:
        ImageTo3DError: ``engine_failed`` with what went wrong.
    """
    jobs = os.environ.get("MAX_JOBS")
    os.environ.setdefault("MAX_JOBS", str(min(_BUILD_JOBS, os.cpu_count() or 1)))
    try:
        # gsplat shows its progress on stdout, which belongs to our own output
        with _announced(say), contextlib.redirect_stdout(sys.stderr):
            gsplat = importlib.import_module("gsplat")
            backend = importlib.import_module("gsplat.cuda._backend")
    except Exception as error:  # whatever compilers, linkers and loaders come up with
        raise _unavailable(f"gsplat could not be built ({_first_line(error)}).") from error
    finally:
        if jobs is None:
            os.environ.pop("MAX_JOBS", None)
    if backend._C is None:
        raise _unavailable("gsplat found no CUDA toolkit to build itself with.")
    rasterization: Callable[..., Any] = gsplat.rasterization
    return rasterization


def _unavailable(sentence: str) -> ImageTo3DError:
    return ImageTo3DError(ErrorCode.ENGINE_FAILED, "rendering.gsplat_unavailable", why=sentence.rstrip("."))


class GsplatRenderer:
    """Renders on a CUDA device; clouds stay in GPU memory as long as they live.

    Args:
        device: of PyTorch.
        say: told in one sentence when gsplat is being built.

    Raises:
        ImageTo3DError: ``engine_failed`` if gsplat cannot be loaded or built.
    """

    name = "gsplat"

    def __init__(self, device: str = "cuda", say: Callable[[str], None] = log.warning) -> None:
        import torch

        self._torch = torch
        self._device = torch.device(device)
        self._rasterization = _load(say)
        self._resident: weakref.WeakKeyDictionary[Any, dict[str, torch.Tensor]] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()

    def render(
        self, instances: Sequence[Instance], camera: Camera, settings: RenderSettings = DEFAULT_SETTINGS
    ) -> Frame:
        """One picture of all instances together.

        Raises:
            ImageTo3DError: ``out_of_memory`` if the scene does not fit on the GPU.
        """
        instances = [instance for instance in instances if len(instance.cloud.positions)]
        height, width = camera.height, camera.width
        if not instances:  # gsplat divides by the number of Gaussians
            empty = np.zeros((height, width), np.float32)
            return make_frame(np.zeros((height, width, 3), np.float32), empty, empty.copy(), None, settings)
        torch = self._torch
        try:
            with self._lock, torch.inference_mode():
                scene = self._merge(instances)
                pixels, alpha, _ = self._rasterization(
                    **scene,
                    viewmats=self._tensor(camera.world_to_camera)[None],
                    Ks=self._tensor(camera.intrinsics.matrix())[None],
                    width=width,
                    height=height,
                    near_plane=camera.near,
                    far_plane=camera.far,
                    eps2d=settings.eps2d,
                    radius_clip=0.0,
                    sh_degree=None,
                    packed=False,  # faster for scenes that are seen whole
                    tile_size=TILE,
                    render_mode="RGB+D" if "depth" in settings.passes else "RGB",
                    rasterize_mode="classic",
                    camera_model="ortho" if camera.orthographic else "pinhole",
                )
                pixels, alpha = pixels[0].cpu().numpy(), alpha[0, ..., 0].cpu().numpy()
        except torch.cuda.OutOfMemoryError:
            torch.cuda.empty_cache()
            raise ImageTo3DError(ErrorCode.OUT_OF_MEMORY, "rendering.gpu_memory_full") from None
        depth = pixels[..., 3] if pixels.shape[-1] > 3 else np.zeros((height, width), np.float32)
        return make_frame(np.ascontiguousarray(pixels[..., :3]), alpha, np.ascontiguousarray(depth), None, settings)

    def _tensor(self, values: NDArray[Any]) -> torch.Tensor:
        return self._torch.as_tensor(np.array(values, np.float32), device=self._device)

    def _upload(self, cloud: Splats) -> dict[str, torch.Tensor]:
        """The arrays of a cloud on the device, under the names of gsplat's arguments."""
        tensors = self._resident.get(cloud)
        if tensors is None:
            tensors = {
                "means": self._tensor(cloud.positions),
                "quats": self._tensor(cloud.rotations),
                "scales": self._tensor(cloud.scales),
                "opacities": self._tensor(cloud.opacities),
                "colors": self._tensor(cloud.colours),
            }
            self._resident[cloud] = tensors
        return tensors

    def _merge(self, instances: Sequence[Instance]) -> dict[str, torch.Tensor | None]:
        """Arguments of gsplat for all instances in the world frame, in order."""
        parts = [(self._upload(instance.cloud), instance.object_to_world) for instance in instances]
        if len(parts) == 1 and np.array_equal(parts[0][1], np.eye(4)):
            return {**parts[0][0]}
        similar = [_similarity(matrix[:3, :3]) for _, matrix in parts]
        exact = all(s is not None for s in similar)
        placed = [
            self._placed(tensors, matrix, similarity if exact else None)
            for (tensors, matrix), similarity in zip(parts, similar, strict=True)
        ]
        scene: dict[str, torch.Tensor | None] = {
            name: self._torch.cat([part[name] for part in placed]) for name in placed[0]
        }
        if "covars" in scene:  # then these are not looked at, but the function asks for them
            scene["quats"] = scene["scales"] = None
        return scene

    def _placed(
        self,
        tensors: dict[str, torch.Tensor],
        matrix: NDArray[np.float64],
        similarity: tuple[float, NDArray[np.float64]] | None,
    ) -> dict[str, torch.Tensor]:
        """One cloud in the world frame: by rotation and scale if it is a similarity, else by its covariances."""
        torch = self._torch
        linear = self._tensor(matrix[:3, :3])
        out = {
            "means": tensors["means"] @ linear.T + self._tensor(matrix[:3, 3]),
            "opacities": tensors["opacities"],
            "colors": tensors["colors"],
        }
        if similarity is not None:
            scale, quat = similarity
            out["quats"] = _multiply(torch, self._tensor(quat), tensors["quats"])
            out["scales"] = tensors["scales"] * scale
        else:
            axes = linear @ _to_matrix(torch, tensors["quats"]) * tensors["scales"][:, None, :]
            out["covars"] = axes @ axes.transpose(-1, -2)
        return out


def _similarity(linear: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]] | None:
    """Scale and quaternion (4,) of a rotation times one scale (3, 3); None if the matrix is not that."""
    scale = float(np.cbrt(np.linalg.det(linear)))
    if scale <= 0 or np.abs(linear @ linear.T / scale**2 - np.eye(3)).max() > 1e-6:
        return None
    return scale, np.asarray(quaternion.from_matrix(linear / scale), np.float64)


def _multiply(torch: Any, a: Any, b: Any) -> Any:
    """Hamilton product of one quaternion (4,) with (N, 4), as the matrix of left multiplication."""
    w, x, y, z = a
    rows = [[w, -x, -y, -z], [x, w, -z, y], [y, z, w, -x], [z, -y, x, w]]
    return b @ torch.stack([torch.stack(row) for row in rows]).T


def _to_matrix(torch: Any, quats: Any) -> Any:
    """Rotation matrices (N, 3, 3) of quaternions (N, 4), on the device."""
    w, x, y, z = (quats / quats.norm(dim=-1, keepdim=True)).unbind(-1)
    entries = [
        *(1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        *(2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        *(2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    ]
    return torch.stack(entries, dim=-1).reshape(-1, 3, 3)
