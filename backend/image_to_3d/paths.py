"""Where keys, caches, logs and run-time files of this user live.

``IMAGE_TO_3D_HOME`` puts all of them below one folder: tests and portable installations use it.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import platformdirs

APP = "image-to-3d"
HOME_VARIABLE = "IMAGE_TO_3D_HOME"


def _below_home(kind: str) -> Path | None:
    home = os.environ.get(HOME_VARIABLE)
    return Path(home) / kind if home else None


def config_folder() -> Path:
    """Keys and consent."""
    return _below_home("config") or Path(platformdirs.user_config_dir(APP, appauthor=False))


def cache_folder() -> Path:
    """Weights and compiled code: large, and can be fetched again."""
    return _below_home("cache") or Path(platformdirs.user_cache_dir(APP, appauthor=False))


def runtime_folder() -> Path:
    """What a running backend publishes."""
    below = _below_home("run")
    if below is not None:
        return below
    if sys.platform.startswith("linux") and not os.environ.get("XDG_RUNTIME_DIR"):
        return cache_folder() / "run"  # the standard fallback lies in the shared /tmp
    return Path(platformdirs.user_runtime_dir(APP, appauthor=False))


def log_folder() -> Path:
    """Logs of the backend."""
    return _below_home("log") or Path(platformdirs.user_log_dir(APP, appauthor=False))


def make_private(folder: Path) -> Path:
    """The folder, created if need be, readable by its owner only."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if os.name == "posix" and folder.stat().st_mode & 0o077:
        folder.chmod(0o700)
    return folder


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, in one step."""
    make_private(path.parent)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # 0600, and never another thread's
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
