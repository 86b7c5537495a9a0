"""Make the private environment in which the backend runs: PyTorch and this project, and nothing in Blender's own Python.

Standard library only, no bpy: the extension runs it on a thread (see :mod:`.installation`), and a person may run it as a program::

    python installer.py --folder FOLDER [--python PYTHON] [--torch auto|cpu|cuda] [--remove]

Below FOLDER:

- ``installation.json`` says which environment is complete; written last and in one step, so that nothing is ever half-installed;
- ``a`` and ``b``: environments. A new one is made beside the one in use, which goes when the new one is complete;
- ``cache`` and ``tmp``: what pip has fetched so far. They stay after a failure, so that the next try goes on from there;
- ``install.log``: everything that was said; ``lock``: held while somebody installs.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import hashlib
import json
import os
import platform
import queue
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, Literal

RECORD, LOCK, LOG = "installation.json", "lock", "install.log"
SLOTS = ("a", "b")
OLDEST, NEWEST = (3, 10), (3, 14)
"""Pythons for which PyTorch and numba have wheels."""

TORCH_INDEX = "https://download.pytorch.org/whl/"
"""PyTorch's own index: builds for CPUs on Linux and for CUDA on Windows are only there."""

CUDA = "cu130"
CUDA_DRIVER, CUDA_CAPABILITY = 580, 7.5
"""What CUDA 13 asks for: NVIDIA's driver branch, and the oldest generation of GPUs (Turing)."""

WINDOWS_PATH = 259
LONGEST_IN_TORCH = 167
"""Characters of the longest path below site-packages that the wheel of PyTorch 2.13 brings."""

Problem = Literal["python", "network", "space", "pip", "busy", "broken", "path", "cancelled", "disk", "weights"]
TorchChoice = Literal["auto", "cpu", "cuda"]


class InstallError(Exception):
    """Why there is no installation.

    Args:
        problem: what kind of thing it is, for the choice of buttons.
        message: one sentence: what is wrong.
        hint: one sentence: what to do.
    """

    def __init__(self, problem: Problem, message: str, hint: str = "") -> None:
        super().__init__(f"{message} {hint}".strip())
        self.problem = problem
        self.message = message
        self.hint = hint


def n_(text: str) -> str:
    """Marks a text for translation, as ``pgettext_n`` of Blender does; the panel looks it up."""
    return text


# --- what is installed ---------------------------------------------------------------------------------------------------


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
    return InstallError("broken", f"The extension is incomplete: it lacks {what}.", "Install its zip again, from disk.")


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
    said = _answer([tool, "--query-gpu=name,driver_version,compute_cap", "--format=csv,noheader"])
    return read_gpu(said) if said else None


def read_gpu(said: str) -> Gpu | None:
    """What a line of ``nvidia-smi`` means: name, driver, capability, with commas between."""
    parts = [part.strip() for part in said.splitlines()[0].split(",")]
    try:
        name, driver, capability = parts[0], int(parts[1].split(".")[0]), float(parts[2])
    except (IndexError, ValueError):
        return None
    if driver < CUDA_DRIVER:
        problem = n_("{0}: its driver {1} is older than {2}; update it to use the GPU")
        return Gpu(name, problem.format(name, parts[1], CUDA_DRIVER))
    if capability < CUDA_CAPABILITY:
        return Gpu(name, n_("{0} is older than what CUDA 13 supports").format(name))
    return Gpu(name)


# --- Python --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Python:
    """An interpreter that can make environments.

    Attributes:
        path: of the program.
        version: with dots.
        prefix: folder of its installation.
    """

    path: str
    version: str
    prefix: str


_PROBE = (
    "import json, ssl, sys, venv, ensurepip\n"
    "print(json.dumps([list(sys.version_info[:3]), sys.maxsize > 2**32, sys.implementation.name, sys.base_prefix]))"
)


def find_python(preferred: str = "", own: str = sys.executable) -> Python:
    """The interpreter to make the environment with: the preferred one, else the one that Blender brings, else one on the PATH.

    Args:
        preferred: by the person; nothing else is tried then.
        own: the interpreter that runs this.

    Raises:
        InstallError: ``python`` if none fits.
    """
    if preferred:
        found = shutil.which(preferred)
        fitting = probe_python(found) if found else None
        if fitting is None:
            raise InstallError(
                "python",
                f"{preferred} is not a Python that the backend can use.",
                f"Choose a 64-bit Python {_dotted(OLDEST)} to {_dotted(NEWEST)} with venv and pip, or leave the field empty.",
            )
        return fitting
    for candidate in _candidates(own):
        fitting = probe_python(candidate)
        if fitting is not None:
            return fitting
    raise InstallError(
        "python",
        f"No Python {_dotted(OLDEST)} to {_dotted(NEWEST)} with venv and pip was found.",
        "Install Python from python.org (on Debian and Ubuntu: apt install python3-venv) and try again.",
    )


def _candidates(own: str) -> Iterator[str]:
    yield own
    places = os.environ.get("PATH", os.defpath)
    if sys.platform == "darwin":  # programs started by the Finder do not see these
        places = os.pathsep.join([places, "/opt/homebrew/bin", "/usr/local/bin"])
    for name in ("python3.13", "python3.12", "python3.11", "python3.10", "python3.14", "python3", "python"):
        found = shutil.which(name, path=places)
        if found:
            yield found


def probe_python(path: str) -> Python | None:
    """The interpreter at ``path`` if it runs and fits."""
    said = _answer([path, "-I", "-c", _PROBE])
    try:
        version, is_64_bit, implementation, prefix = json.loads(said)
    except ValueError:
        return None
    fits = OLDEST <= tuple(version[:2]) <= NEWEST and is_64_bit and implementation == "cpython"
    return Python(path, ".".join(map(str, version)), prefix) if fits else None


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))


def _answer(command: list[str]) -> str:
    """What a short command prints; empty if it fails."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=20, env=clean_environment(), **_without_window()
        )
    except (OSError, subprocess.SubprocessError, UnicodeError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _without_window() -> dict[str, Any]:
    return {"creationflags": subprocess.CREATE_NO_WINDOW} if os.name == "nt" else {}  # type: ignore[attr-defined]


def plain_environment() -> dict[str, str]:
    """The environment for a backend's own command: as it is, but what it prints comes at once and in UTF-8."""
    return {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"}


def clean_environment() -> dict[str, str]:
    """The environment without what would send packages or imports elsewhere. Mirrors and proxies stay."""
    unwanted = {"VIRTUAL_ENV", "__PYVENV_LAUNCHER__", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "PIP_DRY_RUN"}
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON") and k not in unwanted}
    return {**kept, "PYTHONNOUSERSITE": "1", "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"}


# --- what is there -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Installation:
    """A complete environment, as its record describes it.

    Attributes:
        folder: of everything.
        environment: its name below the folder.
        version, digest: of the project's wheel in it.
        torch, torch_build: version of PyTorch, and ``cpu``, ``cuda`` or ``mps``.
        python: version.
        base: interpreter that the environment was made with, and needs.
        device: what it computes on.
        date, seconds: when it was made, and how long that took.
    """

    folder: Path
    environment: str
    version: str
    digest: str
    torch: str
    torch_build: str
    python: str
    base: str
    device: str = ""
    date: str = ""
    seconds: float = 0.0

    @property
    def interpreter(self) -> Path:
        """Python of the environment."""
        return interpreter(self.folder / self.environment)

    @property
    def command(self) -> list[str]:
        """Command line of the backend; -I keeps the packages of other Pythons out."""
        return [str(self.interpreter), "-I", "-m", "image_to_3d"]

    @property
    def works(self) -> bool:
        """False if something has been taken away: the environment, or the Python (often Blender's) that it stands on."""
        return self.interpreter.is_file() and Path(self.base).is_file()


def interpreter(environment: Path) -> Path:
    """Python of an environment."""
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def find(folder: Path) -> Installation | None:
    """The complete installation below a folder, or None. Fast: one small file is read."""
    try:
        stored = json.loads((folder / RECORD).read_text("utf-8"))
        return Installation(folder=folder, **{k: v for k, v in stored.items() if k != "folder"})
    except (OSError, ValueError, TypeError, AttributeError):
        return None


State = Literal["missing", "interrupted", "installed", "outdated", "broken"]


def state(folder: Path, wanted: Source | None) -> State:
    """What there is below a folder.

    Args:
        folder: of the installation.
        wanted: what the extension carries; an installation of anything else is ``outdated``.
    """
    found = find(folder)
    if found is None:
        return "interrupted" if any((folder / slot).is_dir() for slot in SLOTS) else "missing"
    if not found.works:
        return "broken"
    return "installed" if wanted is None or found.digest == wanted.digest else "outdated"


def remove(folder: Path) -> None:
    """Delete the installation, all of it.

    Raises:
        InstallError: ``busy`` while somebody installs; ``disk`` if something is still in use.
    """
    if not folder.is_dir():
        return
    with lock(folder):
        found = find(folder)
        if found is not None and found.works:
            _answer([*found.command, "stop"])
        (folder / RECORD).unlink(missing_ok=True)
        for name in (*SLOTS, "cache", "tmp", LOG):
            _delete(folder / name)
    shutil.rmtree(folder, ignore_errors=True)


def _delete(path: Path) -> None:
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise InstallError(
            "disk", f"{error.filename or path} cannot be deleted: {error.strerror}.", "Stop the backend and try again."
        ) from None


@contextlib.contextmanager
def lock(folder: Path) -> Iterator[IO[str]]:
    """Keep other Blenders from installing into this folder. The system gives it back whatever happens to this process.

    Raises:
        InstallError: ``busy`` if another one holds it; ``disk`` if the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / LOCK).open("a+", encoding="utf-8")
    except OSError as error:
        raise InstallError(
            "disk", f"{folder} cannot be written: {error.strerror}.", "Check the permissions of the folder."
        ) from None
    with file:
        try:
            if os.name == "nt":
                import msvcrt

                file.seek(0)
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
            else:
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InstallError(
                "busy", "Another Blender is installing the backend.", "Wait until it is done; then it is here as well."
            ) from None
        yield file


# --- installing ----------------------------------------------------------------------------------------------------------


def ignore(*_: object) -> None:
    """Report to nobody."""


@dataclass
class Installer:
    """One installation, from an interpreter to a backend that starts. Every method may raise :class:`InstallError`.

    Attributes:
        folder: where; made if need be.
        source: what.
        torch: which build of PyTorch.
        python: with which interpreter.
        say: called with every line for the log.
        progress: called with a stage in words and 0 … 1.
        cancelled: asked often.
    """

    folder: Path
    source: Source
    torch: Torch
    python: Python
    say: Callable[[str], None] = ignore
    progress: Callable[[str, float], None] = ignore
    cancelled: Callable[[], bool] = lambda: False
    _tail: deque[str] = field(default_factory=lambda: deque(maxlen=400))
    _fetched: int = 0
    _log: IO[str] | None = None
    _lock: IO[str] | None = None

    def run(self) -> Installation:
        """Install, or bring an installation up to date; what an earlier try has fetched is used."""
        started = time.monotonic()
        with lock(self.folder) as held:
            self._lock = held
            self._check_room()
            try:
                with (self.folder / LOG).open("w", encoding="utf-8") as self._log:
                    record = self._make(started)
            except OSError as error:
                raise _disk_error(error, self.folder) from None
            finally:
                self._log = self._lock = None
        self.progress(n_("Done"), 1.0)
        return record

    def _make(self, started: float) -> Installation:
        before = find(self.folder)
        slot = next(name for name in SLOTS if before is None or name != before.environment)
        environment = self.folder / slot
        self._write(f"Installing image-to-3d {self.source.version} into {environment}")
        self._write(
            f"Python {self.python.version}: {self.python.path}; PyTorch for {self.torch.name}: {self.torch.why}"
        )
        python = self._environment(environment)
        temporary = self.folder / "tmp"
        _delete(temporary)
        temporary.mkdir()
        torch = f"torch=={self.source.torch}{self.torch.suffix}"
        self.progress(n_("Installing PyTorch"), 0.05)
        self._pip(python, [torch, "torchvision"], self.torch.index)  # a build of the same kind has the higher version
        self.progress(n_("Installing the backend"), 0.8)
        extras = "cuda,exr,video" if self.torch.name == "cuda" else "exr,video"
        package = f"image-to-3d[{extras}] @ {self.source.wheel.resolve().as_uri()}"
        self._pip(python, [torch, "torchvision", package])
        self.progress(n_("Checking"), 0.95)
        facts = self._check(python)
        record = Installation(
            folder=self.folder,
            environment=slot,
            version=self.source.version,
            digest=self.source.digest,
            torch=facts["torch"],
            torch_build=self.torch.name,
            python=facts["python"],
            base=facts["base"],
            device=facts["device"],
            date=time.strftime("%Y-%m-%d"),
            seconds=round(time.monotonic() - started, 1),
        )
        self._publish(record)
        if before is not None and before.works:  # a backend that runs from what is about to be deleted
            self._command([*record.command, "stop"])
        self._write(f"Done in {record.seconds:.0f} s: {record.device}")
        for leftover in (*(self.folder / s for s in SLOTS if s != slot), self.folder / "cache", temporary):
            with contextlib.suppress(InstallError):  # in use, on Windows; goes with the next installation
                _delete(leftover)
        return record

    def _publish(self, record: Installation) -> None:
        text = json.dumps({k: v for k, v in asdict(record).items() if k != "folder"}, indent=1)
        temporary = self.folder / f".{RECORD}"
        temporary.write_text(text, "utf-8")
        temporary.replace(self.folder / RECORD)

    def _check_room(self) -> None:
        free = shutil.disk_usage(self.folder).free
        have = sum(f.stat().st_size for f in (self.folder / "cache").rglob("*") if f.is_file())
        needed = max(self.torch.needed_bytes - have, 0)
        if free < needed:
            raise InstallError(
                "space",
                f"There is not enough room: {free / 1e9:.1f} GB are free where {needed / 1e9:.1f} GB are needed.",
                f"Free some space on the disk of {self.folder}.",
            )
        deepest = len(str(self.folder / "a" / "Lib" / "site-packages")) + 1 + LONGEST_IN_TORCH
        if os.name == "nt" and deepest > WINDOWS_PATH and not _long_paths_allowed():
            raise InstallError(
                "path",
                f"The folder's path is too long for Windows: files in it would have {deepest} characters.",
                "Switch on 'Enable Win32 long paths' (Group Policy, or LongPathsEnabled in the registry) and try again.",
            )

    def _environment(self, folder: Path) -> Path:
        """The environment's Python; one that an earlier try has begun is used if it still runs."""
        python = interpreter(folder)
        self.progress(n_("Making an environment"), 0.02)
        if not self._is_private(python, folder):
            _delete(folder)
            code = self._command([self.python.path, "-I", "-m", "venv", str(folder)])
            if code or not self._is_private(python, folder):
                raise explain("python", list(self._tail))
        return python

    def _is_private(self, python: Path, folder: Path) -> bool:
        """True if this one has pip and installs into ``folder``, never into Blender's Python, and was made with the chosen one."""
        if not python.is_file():
            return False
        version = "'.'.join(map(str, sys.version_info[:3]))"
        code = f"import sys, pip; print(sys.prefix, sys.base_prefix, {version}, sep='\\n')"
        prefix, _, rest = _answer([str(python), "-I", "-c", code]).partition("\n")
        return Path(prefix).resolve() == folder.resolve() and rest == f"{self.python.prefix}\n{self.python.version}"

    def _pip(self, python: Path, requirements: list[str], index: str = "") -> None:
        """``pip install``; wheels only, so that nothing is compiled and nothing of a package runs."""
        command = [str(python), "-I", "-m", "pip", "--require-virtualenv", "--no-input", "--disable-pip-version-check"]
        command += ["install", "--only-binary=:all:", "--retries", "3", "--timeout", "20", "--progress-bar"]
        command += ["raw" if self._can_report(python) else "off", "-c", str(self.source.constraints)]
        command += ["--extra-index-url", index] if index else []
        if self._command([*command, *requirements]):
            raise explain("pip", list(self._tail))

    @staticmethod
    def _can_report(python: Path) -> bool:
        """pip says how much it has fetched since 24.1; the Python of Blender 4.2–5.0 brings an older one."""
        found = re.match(r"pip (\d+)\.(\d+)", _answer([str(python), "-I", "-m", "pip", "--version"]))
        return found is not None and (int(found.group(1)), int(found.group(2))) >= (24, 1)

    def _check(self, python: Path) -> dict[str, str]:
        """Import what a backend needs; what it says about itself."""
        code = (
            "import json, sys, platform, torch, numba, image_to_3d.server.frontend\n"
            "from image_to_3d.engines import base, torch_runtime\n"
            "from image_to_3d.server.workers.inference import describe_device\n"
            "torch_runtime.import_timm()\n"
            "device = str(describe_device(base.EngineOptions())['device'])\n"
            "base = getattr(sys, '_base_executable', sys.executable)\n"
            "facts = {'torch': torch.__version__, 'python': platform.python_version(), 'base': base, 'device': device}\n"
            "print('FACTS ' + json.dumps(facts))"
        )
        failed = self._command([str(python), "-I", "-c", code])
        facts = next((line for line in reversed(self._tail) if line.startswith("FACTS ")), None)
        if failed or facts is None:
            raise explain("broken", list(self._tail))
        return json.loads(facts.removeprefix("FACTS "))

    def _command(self, command: list[str]) -> int:
        """Run a command and report its lines; its exit code. Raises ``cancelled``."""
        self._tail.clear()
        self._write(f"> {_shell(command)}")
        folder = str(self.folder / "tmp")
        places = {"PIP_CACHE_DIR": str(self.folder / "cache"), "TMPDIR": folder, "TEMP": folder, "TMP": folder}
        return stream(command, {**clean_environment(), **places}, self._hear, self.cancelled, self._lock)

    def _hear(self, line: str) -> None:
        """pip's raw progress lines move the bar, all others go to the log."""
        numbers = progress_of(line)
        if numbers is None:
            self._tail.append(line)
            self._write(line)
            return
        done, total = numbers
        self._fetched += total if done == total else 0
        so_far = self._fetched + (0 if done == total else done)
        share = min(so_far / self.torch.download_bytes, 1.0)
        stage = n_("Fetching {0} of about {1} MB").format(round(so_far / 1e6), round(self.torch.download_bytes / 1e6))
        self.progress(stage, 0.05 + 0.75 * share)

    def _write(self, line: str) -> None:
        self.say(line)
        if self._log is not None:
            self._log.write(line + "\n")
            self._log.flush()


_NO_NETWORK = re.compile(
    r"NewConnectionError|NameResolutionError|Name or service not known|getaddrinfo failed|Temporary failure in name|"
    r"nodename nor servname|Network is unreachable|Connection refused|ConnectTimeoutError|ReadTimeoutError|ProxyError|"
    r"SSLError|ConnectionResetError|No route to host|Connection aborted|Connection broken|IncompleteRead",
)
_NO_SPACE = re.compile(
    r"No space left on device|\[Errno 28\]|not enough space on the disk|WinError 112|Disk quota exceeded"
)


def explain(problem: Problem, said: list[str]) -> InstallError:
    """The sentence for a command that failed.

    Args:
        problem: what failed, if its words tell nothing better: ``python`` (making the environment), ``pip`` or ``broken``.
        said: its lines.
    """
    if any(_NO_SPACE.search(line) for line in said):
        return InstallError(
            "space", "The disk is full.", "Free some space, then press Resume: what was fetched is kept."
        )
    if any(_NO_NETWORK.search(line) for line in said):
        return InstallError(
            "network",
            "The package index cannot be reached.",
            "Check the network, proxy and firewall, then press Resume: it goes on where it stopped.",
        )
    last = _last_meaningful(said)
    hint = n_("The log has the details; press Resume to try again.")
    if problem == "python":
        return InstallError(problem, f"Python cannot make an environment: {last}.", hint)
    if problem == "broken":
        return InstallError(problem, f"What was installed does not start: {last}.", hint)
    return InstallError(problem, f"pip could not install the backend: {last}.", hint)


def _last_meaningful(said: list[str]) -> str:
    errors = [line.removeprefix("ERROR: ").strip() for line in said if line.startswith("ERROR: ")]
    others = [line.strip() for line in said if line.strip() and not line.startswith(("WARNING", "[notice]", " "))]
    plain = [line for line in errors if not line.startswith("ResolutionImpossible")]  # which only names a web page
    return (plain or errors or others or ["it said nothing"])[-1].rstrip(".")[:300]


def _disk_error(error: OSError, folder: Path) -> InstallError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return explain("pip", ["No space left on device"])
    return InstallError(
        "disk",
        f"{error.filename or folder} cannot be used: {error.strerror or error}.",
        "Check the disk, then press Resume.",
    )


def progress_of(line: str) -> tuple[int, int] | None:
    """Bytes done and in all, if a line says so as pip does it for programs."""
    numbers = re.match(r"Progress (\d+) of (\d+)$", line)
    return (int(numbers.group(1)), int(numbers.group(2))) if numbers else None


def stream(
    command: list[str],
    environment: dict[str, str],
    hear: Callable[[str], None],
    cancelled: Callable[[], bool],
    held: IO[str] | None = None,
) -> int:
    """Run a command and hand over its lines as they come.

    Args:
        command: what to run.
        environment: its variables.
        hear: called with every line.
        cancelled: asked ten times a second; the command is ended when it says True.
        held: a lock that goes along: should Blender die, nobody else installs before pip has noticed.

    Returns:
        Its exit code.

    Raises:
        InstallError: ``cancelled``.
    """
    extra: dict[str, Any] = _without_window()
    if os.name != "nt":
        extra = {"start_new_session": True, "pass_fds": [held.fileno()] if held else []}
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        env=environment,
        **extra,
    )
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    reader = threading.Thread(target=_read_lines, args=(child, lines), daemon=True)
    reader.start()
    try:
        while True:
            if cancelled():
                raise InstallError(
                    "cancelled", "It was cancelled.", "What was fetched is kept: the next try goes on from there."
                )
            with contextlib.suppress(queue.Empty):
                line = lines.get(timeout=0.1)
                if line is None:
                    return child.wait()
                hear(line)
    finally:
        _end(child)
        reader.join(5)


def _read_lines(child: subprocess.Popen[str], lines: queue.SimpleQueue[str | None]) -> None:
    assert child.stdout is not None
    with contextlib.suppress(ValueError, OSError):  # closed under the reader's hands
        for line in child.stdout:
            lines.put(line.rstrip())
    lines.put(None)


def _end(child: subprocess.Popen[str]) -> None:
    """End a process and what it has started."""
    if child.poll() is None:
        with contextlib.suppress(OSError):
            if os.name == "nt":
                child.terminate()
            else:
                os.killpg(child.pid, signal.SIGTERM)
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    assert child.stdout is not None
    child.stdout.close()


def _long_paths_allowed() -> bool:
    import winreg

    key = r"SYSTEM\CurrentControlSet\Control\FileSystem"
    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, key) as opened:  # type: ignore[attr-defined]
            return bool(winreg.QueryValueEx(opened, "LongPathsEnabled")[0])  # type: ignore[attr-defined]
    except OSError:
        return False


# --- as a program --------------------------------------------------------------------------------------------------------


def _shell(command: list[str]) -> str:
    if os.name != "nt":
        return shlex.join(command)
    return "& " + " ".join(f'"{part}"' for part in command)  # PowerShell


def shell_command(python: str, folder: Path) -> str:
    """The line that does in a terminal what the button does; for PowerShell on Windows."""
    return _shell([python, str(Path(__file__).resolve()), "--folder", str(folder)])


def main() -> int:
    """0 if the backend is installed (or removed); 1 with a sentence if not; 130 if interrupted."""
    parser = argparse.ArgumentParser(description="Install the backend of Image to 3D into an environment of its own.")
    parser.add_argument("--folder", type=Path, required=True, help="where; the extension shows its own folder")
    parser.add_argument(
        "--python", default="", help="interpreter for the environment; default: this one, or one on the PATH"
    )
    parser.add_argument(
        "--torch", choices=["auto", "cpu", "cuda"], default="auto", help="default: what the machine has"
    )
    parser.add_argument("--remove", action="store_true", help="delete the installation")
    args = parser.parse_args()
    folder = args.folder.expanduser().absolute()
    try:
        if args.remove:
            remove(folder)
            print(f"Removed {folder}")
            return 0
        wanted = source(Path(__file__).resolve().parents[1])
        torch = choose_torch(args.torch, platform.system(), find_gpu())
        record = Installer(folder, wanted, torch, find_python(args.python), say=print).run()
    except InstallError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted. Run the same command again to go on.", file=sys.stderr)
        return 130
    print(f"The backend is installed: {_shell(record.command)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
