"""What to install: the wheel and the tested versions that the extension carries, and the build of PyTorch for this machine."""

from __future__ import annotations

import hashlib
import re
import shutil
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from .commands import answer
from .errors import Filled, InstallError, n_

TORCH_INDEX = "https://download.pytorch.org/whl/"
"""PyTorch's own index: builds for CPUs on Linux and for CUDA on Windows are only there."""
CUDA = "cu130"
CUDA_DRIVER, CUDA_CAPABILITY = 580, 7.5
"""What CUDA 13 asks for: NVIDIA's driver branch, and the oldest generation of GPUs (Turing)."""
TorchChoice = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True)
class Source:
    """What the extension carries: the wheel of this very version, and the tested versions of what it needs."""

    wheel: Path
    constraints: Path

    @property
    def version(self) -> str:
        """Of the project."""
        return self.wheel.name.split("-")[1]

    @property
    def torch(self) -> str:
        """Tested version of PyTorch."""
        return self.pinned("torch")

    def pinned(self, package: str) -> str:
        """Tested version of a package.

        Raises:
            InstallError: ``broken`` if there is none.
        """
        found = re.search(rf"^{re.escape(package)}==(\S+)$", self.constraints.read_text("utf-8"), re.MULTILINE)
        if found is None:
            raise _damaged_extension(f"the tested version of {package}")
        return found.group(1)

    @property
    def digest(self) -> str:
        """SHA-256 of the wheel: two builds of one version number differ."""
        return _digest(self.wheel, self.wheel.stat().st_mtime_ns)


def source(extension: Path) -> Source:
    """What to install, from the folder of the extension.

    Raises:
        InstallError: ``broken`` if it is incomplete.
    """
    wheels, constraints = sorted((extension / "wheels").glob("image_to_3d-*.whl")), extension / "constraints.txt"
    if len(wheels) != 1 or not constraints.is_file():
        raise _damaged_extension("the package of the backend" if len(wheels) != 1 else "the list of tested versions")
    return Source(wheels[0], constraints)


def _damaged_extension(what: str) -> InstallError:
    return InstallError(
        "broken", "The extension is incomplete: it lacks {what}.", "Install its zip again, from disk.", what=what
    )


@lru_cache(maxsize=4)
def _digest(path: Path, _changed: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@dataclass(frozen=True)
class Torch:
    """A build of PyTorch.

    Attributes:
        name: ``cpu``, ``cuda`` or ``mps``.
        suffix: of its version; empty for the build that the usual index has.
        index: where it is, if not in the usual index.
        download_bytes, disk_bytes: of the whole installation, rounded up.
        why: why this one, for a person.
    """

    name: Literal["cpu", "cuda", "mps"]
    suffix: str
    index: str
    download_bytes: int
    disk_bytes: int
    why: str = ""

    @property
    def needed_bytes(self) -> int:
        """Free space to ask for: what is fetched lies beside what is unpacked until the end."""
        return self.download_bytes + self.disk_bytes


def choose_torch(choice: TorchChoice, system: str, gpu: Gpu | None) -> Torch:
    """The build for a machine. The usual index has CUDA builds for Linux, CPU builds for Windows, MPS builds for macOS.

    Args:
        choice: of the person.
        system: as ``platform.system()`` says it.
        gpu: the NVIDIA GPU, if there is one.
    """
    if system == "Darwin":
        return Torch("mps", "", "", 250_000_000, 1_200_000_000, n_("Apple GPU (MPS)"))
    usable = gpu is not None and not gpu.problem
    if choice == "cuda" or (choice == "auto" and usable):
        why = gpu.name if gpu is not None else n_("as chosen")
        if system == "Windows":
            return Torch("cuda", f"+{CUDA}", TORCH_INDEX + CUDA, 2_300_000_000, 5_000_000_000, why)
        return Torch("cuda", "", "", 2_800_000_000, 6_500_000_000, why)
    why = n_("as chosen") if choice == "cpu" else gpu.problem if gpu is not None else n_("no NVIDIA GPU was found")
    if system == "Linux":
        return Torch("cpu", "+cpu", TORCH_INDEX + "cpu", 400_000_000, 1_600_000_000, why)
    return Torch("cpu", "", "", 350_000_000, 1_500_000_000, why)


@dataclass(frozen=True)
class Gpu:
    """An NVIDIA GPU.

    Attributes:
        problem: why CUDA 13 cannot use it; empty if it can.
    """

    name: str
    problem: str = ""


def find_gpu() -> Gpu | None:
    """The first NVIDIA GPU that its driver's own tool lists; None without one."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    said = answer([tool, "--query-gpu=name,driver_version,compute_cap", "--format=csv,noheader"])
    return read_gpu(said) if said else None


def read_gpu(said: str) -> Gpu | None:
    """What a line of ``nvidia-smi`` means: name, driver, capability, with commas between."""
    parts = [part.strip() for part in said.splitlines()[0].split(",")]
    try:
        name, driver, capability = parts[0], int(parts[1].split(".")[0]), float(parts[2])
    except (IndexError, ValueError):
        return None
    if driver < CUDA_DRIVER:
        problem = n_("{name}: its driver {driver} is older than {oldest}; update it to use the GPU")
        return Gpu(name, Filled(problem, name=name, driver=parts[1], oldest=CUDA_DRIVER))
    if capability < CUDA_CAPABILITY:
        return Gpu(name, Filled(n_("{name} is older than what CUDA 13 supports"), name=name))
    return Gpu(name)
