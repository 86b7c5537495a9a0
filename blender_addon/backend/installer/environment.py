"""Making an environment, from an interpreter to a backend that starts."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

from .builds import Source, Torch
from .commands import answer, clean_environment, progress_of, shell, stream
from .errors import Filled, InstallError, disk_error, explain, n_
from .pythons import Python
from .records import LOG, RECORD, SLOTS, Installation, delete, find, interpreter, lock

WINDOWS_PATH = 259
LONGEST_IN_TORCH = 167
"""Characters of the longest path below site-packages that the wheel of PyTorch 2.13 brings."""


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
                raise disk_error(error, self.folder) from None
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
        delete(temporary)
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
                delete(leftover)
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
                "There is not enough room: {free:.1f} GB are free where {needed:.1f} GB are needed.",
                "Free some space on the disk of {folder}.",
                free=free / 1000000000.0,
                needed=needed / 1000000000.0,
                folder=self.folder,
            )
        deepest = len(str(self.folder / "a" / "Lib" / "site-packages")) + 1 + LONGEST_IN_TORCH
        if os.name == "nt" and deepest > WINDOWS_PATH and not _long_paths_allowed():
            raise InstallError(
                "path",
                "The folder's path is too long for Windows: files in it would have {deepest} characters.",
                "Switch on 'Enable Win32 long paths' (Group Policy, or LongPathsEnabled in the registry) and try again.",
                deepest=deepest,
            )

    def _environment(self, folder: Path) -> Path:
        """The environment's Python; one that an earlier try has begun is used if it still runs."""
        python = interpreter(folder)
        self.progress(n_("Making an environment"), 0.02)
        if not self._is_private(python, folder):
            delete(folder)
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
        prefix, _, rest = answer([str(python), "-I", "-c", code]).partition("\n")
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
        found = re.match(r"pip (\d+)\.(\d+)", answer([str(python), "-I", "-m", "pip", "--version"]))
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
        self._write(f"> {shell(command)}")
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
        stage = Filled(
            n_("Fetching {done} of about {total} MB"),
            done=round(so_far / 1e6),
            total=round(self.torch.download_bytes / 1e6),
        )
        self.progress(stage, 0.05 + 0.75 * share)

    def _write(self, line: str) -> None:
        self.say(line)
        if self._log is not None:
            self._log.write(line + "\n")
            self._log.flush()


def _long_paths_allowed() -> bool:
    import winreg

    key = r"SYSTEM\CurrentControlSet\Control\FileSystem"
    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, key) as opened:  # type: ignore[attr-defined]
            return bool(winreg.QueryValueEx(opened, "LongPathsEnabled")[0])  # type: ignore[attr-defined]
    except OSError:
        return False
