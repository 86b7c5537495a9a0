"""The environments that demo and tests run in, and the extension's zip, made below ``.envs/`` with nothing but Python and pip.

``backend`` holds this project with its dependencies, ``blender-X.Y.Z`` a real Blender as the module ``bpy``.
Set ``IMAGE_TO_3D_ENVS`` to keep them elsewhere, for example to share them between clones.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
ENVIRONMENTS = Path(os.environ.get("IMAGE_TO_3D_ENVS") or REPOSITORY / ".envs")
CONSTRAINTS = REPOSITORY / "scripts" / "constraints.txt"
BLENDERS = {"4.5.15": (3, 11), "5.0.1": (3, 11), "5.2.3": (3, 13), "5.3.0": (3, 13)}
"""Versions of the ``bpy`` wheel and the Python each of them needs."""

SYSTEM_LIBRARIES = (
    "libx11-6 libxext6 libxrender1 libxfixes3 libxi6 libxxf86vm1 libxkbcommon0 libsm6 libice6 "
    "libgl1 libegl1 libegl-mesa0 libgl1-mesa-dri"
)
"""What Blender links to and a slim Debian lacks."""


class SetupError(Exception):
    """An environment cannot be made; the text says why and what to do."""


@dataclass(frozen=True)
class Environment:
    """A virtual environment."""

    name: str
    folder: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def find_python(version: tuple[int, int]) -> Path | None:
    """An interpreter of this version: the running one, one on the PATH, one of pyenv, or one of the Windows launcher."""
    if sys.version_info[:2] == version:
        return Path(sys.executable)
    name = f"python{version[0]}.{version[1]}"
    candidates = [shutil.which(name)]
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    candidates += sorted(map(str, root.glob(f"versions/{version[0]}.{version[1]}.*/bin/python")), reverse=True)
    if os.name == "nt" and shutil.which("py"):
        found = subprocess.run(
            ["py", f"-{version[0]}.{version[1]}", "-c", "import sys; print(sys.executable)"],
            capture_output=True,
            text=True,
        )
        candidates.append(found.stdout.strip() if found.returncode == 0 else None)
    for candidate in candidates:
        if candidate and _runs(candidate, version):
            return Path(candidate)
    return None


def _runs(python: str, version: tuple[int, int]) -> bool:
    code = f"import sys, venv; sys.exit(sys.version_info[:2] != {version})"
    try:  # a shim of pyenv exists also for versions that are not selected
        return subprocess.run([python, "-c", code], capture_output=True).returncode == 0
    except OSError:
        return False


def available_blenders() -> dict[str, Path]:
    """Blender version → interpreter that can hold it, oldest first; only those whose Python exists here."""
    found = {version: find_python(python) for version, python in BLENDERS.items()}
    return {version: python for version, python in found.items() if python is not None}


def backend_environment() -> Environment:
    """The project with everything that its tests and the demo use, installed editable."""
    requirements = ["-c", str(CONSTRAINTS), "-e", f"{REPOSITORY}[dev,exr,video]"]
    inputs = (REPOSITORY / "pyproject.toml").read_bytes() + CONSTRAINTS.read_bytes()
    if sys.version_info < (3, 11):
        raise SetupError("Python 3.11 or newer is needed to run this script.")
    return _make("backend", Path(sys.executable), requirements, inputs)


def blender_environment(version: str) -> Environment:
    """A real Blender of this version, with pytest.

    Raises:
        SetupError: the Python that it needs is absent, or it does not import.
    """
    python = find_python(BLENDERS[version])
    if python is None:
        wanted = ".".join(map(str, BLENDERS[version]))
        raise SetupError(f"Blender {version} needs Python {wanted}, which was not found.")
    environment = _make(
        f"blender-{version}", python, [f"bpy=={version}", "pytest>=8", "pytest-timeout"], version.encode()
    )
    check = subprocess.run([environment.python, "-c", "import bpy"], capture_output=True, text=True)
    if check.returncode:
        reason = (check.stderr.strip().splitlines() or [f"exit code {check.returncode}"])[-1]
        raise SetupError(
            f"Blender {version} does not start ({reason}). On Debian and Ubuntu it needs: apt install {SYSTEM_LIBRARIES}"
        )
    return environment


def extension(python: Path) -> Path:
    """The extension's zip of this machine, built anew only when its sources change: demos need no network after the first run.

    Args:
        python: runs ``build_extension.py``; needs pip.

    Raises:
        SetupError: it cannot be built.
    """
    sources = [CONSTRAINTS, REPOSITORY / "pyproject.toml", REPOSITORY / "scripts" / "build_extension.py"]
    for folder in ("blender_addon", "backend"):
        tree = (REPOSITORY / folder).rglob("*")
        sources += [path for path in tree if path.is_file() and not {"__pycache__", "build"} & set(path.parts)]
    digest = hashlib.sha256()
    for path in sorted(path for path in sources if ".egg-info" not in str(path)):
        digest.update(f"{path.relative_to(REPOSITORY)}\n".encode() + path.read_bytes())
    folder = ENVIRONMENTS / "extension" / digest.hexdigest()[:16]
    if not list(folder.glob("*.zip")):
        shutil.rmtree(folder.parent, ignore_errors=True)  # those of older sources
        print("Building the extension …", flush=True)
        _run([python, REPOSITORY / "scripts" / "build_extension.py", "--output-dir", folder], "The extension")
    return next(folder.glob("*.zip"))


def _make(name: str, python: Path, requirements: list[str], inputs: bytes) -> Environment:
    """Create or complete an environment; nothing happens if it already holds what ``inputs`` describe."""
    environment = Environment(name, ENVIRONMENTS / name)
    stamp = environment.folder / ".complete"
    digest = hashlib.sha256(inputs + " ".join(requirements).encode()).hexdigest()
    if stamp.is_file() and stamp.read_text() == digest and environment.python.exists():
        return environment
    start = time.monotonic()
    print(f"Making the environment {name} …", flush=True)
    stamp.unlink(missing_ok=True)
    if not environment.python.exists():
        _run([python, "-m", "venv", environment.folder], f"The environment {name}")
    pip = [environment.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, *requirements], f"The environment {name}")
    stamp.write_text(digest)
    print(f"Made the environment {name} in {time.monotonic() - start:.0f} s.", flush=True)
    return environment


def _run(command: list[str | Path], what: str) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip() and "WARNING" not in line]
        raise SetupError(f"{what} cannot be made: " + (lines[-1] if lines else "no reason given"))
