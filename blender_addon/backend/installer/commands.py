"""Running other programs: their environment, their answers, and their lines as they come."""

from __future__ import annotations

import contextlib
import os
import queue
import re
import shlex
import signal
import subprocess
import threading
from collections.abc import Callable
from typing import IO, Any

from .errors import InstallError


def answer(command: list[str]) -> str:
    """What a short command prints; empty if it fails."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=20, env=clean_environment(), **without_window()
        )
    except (OSError, subprocess.SubprocessError, UnicodeError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def without_window() -> dict[str, Any]:
    """Arguments for ``subprocess`` by which no window opens on Windows."""
    return {"creationflags": subprocess.CREATE_NO_WINDOW} if os.name == "nt" else {}  # type: ignore[attr-defined]


def plain_environment() -> dict[str, str]:
    """The environment for a backend's own command: as it is, but what it prints comes at once and in UTF-8."""
    return {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"}


def clean_environment() -> dict[str, str]:
    """The environment without what would send packages or imports elsewhere. Mirrors and proxies stay."""
    unwanted = {"VIRTUAL_ENV", "__PYVENV_LAUNCHER__", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "PIP_DRY_RUN"}
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON") and k not in unwanted}
    return {**kept, "PYTHONNOUSERSITE": "1", "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"}


def shell(command: list[str]) -> str:
    """A command as a line for the terminal of this system: POSIX shells, or PowerShell on Windows."""
    if os.name != "nt":
        return shlex.join(command)
    return "& " + " ".join(f'"{part}"' for part in command)  # PowerShell


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
    extra: dict[str, Any] = without_window()
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
