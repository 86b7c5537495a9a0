"""``image-to-3d doctor``: everything that decides whether it works here, on one page."""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from ..core.errors import ImageTo3DError

PACKAGES = ("numpy", "pillow", "pyzmq", "msgpack", "torch", "timm", "numba", "gsplat")
OPTIONAL = ("gsplat",)
LOW_MEMORY = 4_000_000_000
LOW_DISK = 5_000_000_000


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the subcommand."""
    parser: argparse.ArgumentParser = subparsers.add_parser("doctor", help="what works here and what does not, and why")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    return parser


def run(args: argparse.Namespace) -> int:
    """Print the page; 0 if all is well, 3 if something stands in the way."""
    report = examine()
    if args.json:
        print(json.dumps(report))
    else:
        _show(report)
    return 3 if report["problems"] else 0


def examine() -> dict[str, Any]:
    """The facts as a JSON-like object; ``problems`` stand in the way, ``notes`` do not."""
    problems: list[str] = []
    notes: list[str] = []
    return {
        "versions": _versions(problems),
        "device": _device(notes),
        "engines": _engines(problems),
        "renderer": _renderer(problems),
        "backend": _backend(problems),
        "keys": _keys(problems),
        "extensions": _extensions(notes),
        "folders": _folders(notes),
        "problems": problems,
        "notes": notes,
    }


def _versions(problems: list[str]) -> dict[str, Any]:
    import zmq

    from .. import __version__
    from ..protocol import PROTOCOL_VERSION

    found: dict[str, Any] = {
        "image-to-3d": __version__,
        "protocol": PROTOCOL_VERSION,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = None
            if package not in OPTIONAL:
                problems.append(f"The package {package} is missing; install it with: pip install {package}.")
    if not zmq.has("curve"):
        problems.append("This pyzmq cannot encrypt (no CURVE); install the wheel from PyPI: pip install -U pyzmq.")
    return found


def _device(notes: list[str]) -> dict[str, Any]:
    import psutil

    from ..engines.base import EngineOptions
    from ..server.workers.inference import describe_device

    free = psutil.virtual_memory().available
    if free < LOW_MEMORY:
        notes.append(f"Only {free / 1e9:.1f} GB of memory are free; large networks need more.")
    described = describe_device(EngineOptions())
    return {
        "device": described["device"],
        "device_memory_bytes": described["memory"],
        "cores": os.cpu_count(),
        "memory_bytes": free,
    }


def _engines(problems: list[str]) -> list[dict[str, Any]]:
    from ..engines.registry import engine_states

    found = [
        {"name": e.info.name, "state": e.state, "metric": e.info.metric, "licence": e.info.licence, "note": e.note}
        for e in engine_states()
    ]
    if not any(engine["state"] == "ready" for engine in found):
        problems.append("No engine is ready; see their notes.")
    return found


def _renderer(problems: list[str]) -> dict[str, str]:
    from ..render.gsplat_renderer import probe

    why_not = probe()
    if not why_not:
        return {"name": "gsplat", "why": "Rendering with gsplat on the GPU."}
    try:
        from ..render import cpu  # noqa: F401
    except ImportError as error:
        problems.append(f"Nothing can render: {why_not} The CPU renderer cannot be loaded either ({error}).")
        return {"name": "none", "why": why_not}
    return {"name": "cpu", "why": f"Rendering on the CPU. {why_not}"}


def _backend(problems: list[str]) -> dict[str, Any]:
    from ..protocol import Client, published
    from ..protocol.messages import State, Status

    endpoint = published()
    if endpoint is None:
        return {"running": False}
    try:
        with Client(endpoint) as client:
            reply = client.call(Status(), timeout=10)
        assert isinstance(reply, State)
    except ImageTo3DError as error:
        problems.append(
            f"A backend should be running (process {endpoint.pid}) but cannot be used. {error.sentence('cli')}"
        )
        return {"running": True, "address": endpoint.control, "pid": endpoint.pid, "answers": False}
    known = ("address", "frames_port", "pid", "version", "protocol", "uptime_s", "clients")
    return {"running": True, "answers": True, **{name: reply.report.get(name) for name in known}}


def _keys(problems: list[str]) -> dict[str, Any]:
    from ..paths import config_folder
    from ..protocol.keys import AuthorisedClients, load_or_create

    found: dict[str, Any] = {"folder": str(config_folder())}
    try:
        found["client"] = load_or_create("client").public
        found["server"] = load_or_create("server").public
        found["authorised"] = AuthorisedClients().listed()
    except ImageTo3DError as error:
        problems.append(error.sentence("cli"))
    except OSError as error:
        problems.append(f"Keys cannot be kept in {config_folder()}: {error.strerror}.")
    return found


def blender_folders() -> list[Path]:
    """Where the versions of Blender on this account keep their extensions."""
    if sys.platform == "win32":
        base = Path(os.environ.get("APPDATA", "")) / "Blender Foundation" / "Blender"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support" / "Blender"
    else:
        base = Path(os.environ.get("XDG_CONFIG_HOME", "") or Path.home() / ".config") / "blender"
    return sorted(base.glob("[0-9]*")) if base.is_dir() else []


def _extensions(notes: list[str]) -> list[dict[str, Any]]:
    """Installed extensions, and whether they fit: the same major and minor version, as both carry one schema."""
    from .. import __version__

    found = []
    for folder in blender_folders():
        for manifest in folder.glob("extensions/*/image_to_3d/blender_manifest.toml"):
            match = re.search(r'^version\s*=\s*"([^"]+)"', manifest.read_text("utf-8", "replace"), re.MULTILINE)
            version = match.group(1) if match else "unknown"
            compatible = version.split(".")[:2] == __version__.split(".")[:2]
            found.append({"blender": folder.name, "version": version, "compatible": compatible})
            if not compatible:
                notes.append(
                    f"The extension in Blender {folder.name} has version {version}, this backend {__version__}; update the older."
                )
    return found


def _folders(notes: list[str]) -> dict[str, Any]:
    from ..paths import cache_folder, log_folder, runtime_folder

    cache = cache_folder()
    existing = next(p for p in (cache, *cache.parents) if p.exists())
    free = shutil.disk_usage(existing).free
    if free < LOW_DISK:
        notes.append(f"Only {free / 1e9:.1f} GB are free where weights are kept ({cache}).")
    return {"cache": str(cache), "cache_free_bytes": free, "runtime": str(runtime_folder()), "log": str(log_folder())}


def _show(report: dict[str, Any]) -> None:
    def line(name: str, value: object) -> None:
        print(f"  {name:18} {value}")

    def gigabytes(value: object) -> str:
        return f"{float(str(value)) / 1e9:.1f} GB free"

    print("Versions")
    for name, version in report["versions"].items():
        line(name, "not installed" if version is None else version)
    device = report["device"]
    print("Device")
    line(str(device["device"]), gigabytes(device["device_memory_bytes"]))
    line(f"{device['cores']} cores", gigabytes(device["memory_bytes"]))
    print("Engines")
    for engine in report["engines"]:
        licence = "" if engine["licence"] == "none" else f", weights: {engine['licence']}"
        units = "metres" if engine["metric"] else "relative depth"
        line(engine["name"], f"{engine['state'].replace('_', ' ')} ({units}{licence}) {engine['note']}".rstrip())
    print("Renderer")
    line(report["renderer"]["name"], report["renderer"]["why"])
    print("Backend")
    backend = report["backend"]
    if not backend["running"]:
        line("not running", "Blender starts it by itself; by hand: image-to-3d serve")
    for name in ("address", "frames_port", "pid", "version", "uptime_s", "clients"):
        if name in backend:
            line(name.replace("_", " "), backend[name])
    print("Keys")
    for name, value in report["keys"].items():
        line(name, f"{len(value)} other clients" if name == "authorised" else value)
    print("Blender extension")
    for extension in report["extensions"]:
        fits = "fits" if extension["compatible"] else "does not fit"
        line(f"Blender {extension['blender']}", f"version {extension['version']}, {fits}")
    if not report["extensions"]:
        line("not found", "install the zip in Blender: Preferences, Get Extensions, Install from Disk")
    print("Folders")
    for name, value in report["folders"].items():
        line(name.replace("_bytes", "").replace("_", " "), gigabytes(value) if name.endswith("bytes") else value)
    print()
    for note in report["notes"]:
        print(f"Note: {note}")
    for problem in report["problems"]:
        print(f"Problem: {problem}")
    if not report["problems"]:
        print("All is well.")
