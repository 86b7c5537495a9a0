#!/usr/bin/env python3
"""Build the Blender extension: one installable zip per platform, for every Blender since 4.2.

    python scripts/build_extension.py --output-dir dist [--platform linux-x64] [--platform windows-x64] …

Needs Python ≥ 3.11 and pip. The zip holds the add-on, this repository's complete package as a pure-Python wheel, and the wheels
that Blender itself needs of it for each Python that a Blender carries. Every Blender takes from it what fits. *Install Backend*
installs the same wheel, with the tested versions in ``constraints.txt``: add-on and backend never differ. With
``--blender-python`` (a Python that has bpy) Blender's own command line tool checks the result as well.
"""

from __future__ import annotations

import argparse
import ast
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import tomllib

REPOSITORY = Path(__file__).resolve().parent.parent
ADDON = REPOSITORY / "blender_addon"
EPOCH = (1980, 1, 1, 0, 0, 0)
"""Time of every file in the zip, so that equal sources give equal zips."""


@dataclass(frozen=True)
class Wheels:
    """A distribution, and the Pythons that need a wheel of their own (Blender ≤ 5.0: 3.11, 5.1–5.2: 3.13, distributions: 3.14).

    A zip with wheels of the stable interface only (pyzmq's cp312-abi3) is refused by Blender 5.1+; a genuine cp313 wheel of
    any distribution beside it is enough.
    """

    requirement: str
    pythons: tuple[str, ...]


NATIVE = (Wheels("pyzmq==27.1.0", ("3.11", "3.13")), Wheels("msgpack==1.1.2", ("3.11", "3.13", "3.14")))
PURE = ("platformdirs==4.5.0", "plyfile==1.1.5")
PLATFORMS = {
    "linux-x64": ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"),
    "windows-x64": ("win_amd64",),
    "macos-arm64": ("macosx_11_0_arm64", "macosx_10_15_universal2"),
}
"""Blender's name of a platform → tags of wheels that run there, best first."""


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Build the Blender extension.")
    parser.add_argument("--output-dir", type=Path, required=True)
    parser.add_argument("--platform", action="append", choices=sorted(PLATFORMS), help="default: this machine's")
    parser.add_argument("--blender-python", type=Path, help="a Python with bpy, to check with Blender's own tool")
    args = parser.parse_args()
    for platform in args.platform or [this_platform()]:
        path = build(platform, args.output_dir, args.blender_python)
        print(f"{path}  {path.stat().st_size / 1e6:.1f} MB")
    return 0


def this_platform() -> str:
    """Blender's name of the machine this runs on."""
    import platform

    system = {"Linux": "linux", "Windows": "windows", "Darwin": "macos"}.get(platform.system(), platform.system())
    machine = "arm64" if platform.machine().lower() in {"arm64", "aarch64"} else "x64"
    name = f"{system}-{machine}"
    if name not in PLATFORMS:
        raise SystemExit(f"No extension is built for {name}; choose one with --platform.")
    return name


def build(platform: str, output_dir: Path, blender_python: Path | None = None) -> Path:
    """The zip of one platform.

    Args:
        platform: a key of ``PLATFORMS``.
        output_dir: made if need be.
        blender_python: see the module's text.
    """
    manifest = (ADDON / "blender_manifest.toml").read_text("utf-8")
    version = project_version()
    output_dir.mkdir(parents=True, exist_ok=True)
    target = output_dir / f"image_to_3d-{version}-{platform}.zip"
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "image_to_3d"
        shutil.copytree(ADDON, source, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        shutil.copy(REPOSITORY / "LICENSE", source / "LICENSE")
        shutil.copy(REPOSITORY / "scripts" / "constraints.txt", source / "constraints.txt")
        wheels = collect_wheels(platform, source / "wheels")
        listed = "".join(f'  "./wheels/{wheel.name}",\n' for wheel in wheels)
        text = _before_tables(manifest, f'version = "{version}"\nplatforms = ["{platform}"]\nwheels = [\n{listed}]\n')
        (source / "blender_manifest.toml").write_text(text, "utf-8")
        check(source)
        temporary = Path(folder) / target.name
        pack(source, temporary)
        if blender_python is not None:
            blender_check(blender_python, temporary)
        shutil.move(temporary, target)
    return target


def project_version() -> str:
    """Of the package, where it stands once; read, not imported: this runs with any Python."""
    for node in ast.parse((REPOSITORY / "backend" / "image_to_3d" / "__init__.py").read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__version__":
            return str(ast.literal_eval(node.value))
    raise SystemExit("image_to_3d/__init__.py names no version.")


def _before_tables(manifest: str, lines: str) -> str:
    """The manifest with more top-level keys, which TOML wants before the first table."""
    head, table, tail = manifest.partition("\n[")
    return f"{head}\n{lines}{table}{tail}"


def collect_wheels(platform: str, folder: Path) -> list[Path]:
    """Download and build the wheels of the extension."""
    folder.mkdir()
    for wheels in NATIVE:
        for python in wheels.pythons:
            tags = [option for tag in PLATFORMS[platform] for option in ("--platform", tag)]
            pip("download", "--only-binary=:all:", "--python-version", python, *tags, "-d", folder, wheels.requirement)
    for requirement in PURE:
        pip("download", "--only-binary=:all:", "--python-version", "3.11", "-d", folder, requirement)
    build_own_wheel(folder)
    return sorted(folder.glob("*.whl"))


def build_own_wheel(folder: Path) -> None:
    """The whole package with its server, engines and the weights of ``lite``; Blender loads only what needs no torch of it."""
    with tempfile.TemporaryDirectory() as temporary:
        tree = Path(temporary)
        shutil.copytree(
            REPOSITORY / "backend",
            tree / "backend",
            ignore=shutil.ignore_patterns("__pycache__", "*.pyc", "*.egg-info"),
        )
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(REPOSITORY / name, tree)
        built = tree / "built"
        pip("wheel", "-w", built, tree)
        (wheel,) = built.glob("*.whl")
        repack(wheel, folder / wheel.name)


def pip(command: str, *arguments: str | Path) -> None:
    """Run pip quietly, without dependencies; its message if it fails."""
    run(
        [
            sys.executable,
            "-m",
            "pip",
            command,
            "--quiet",
            "--no-deps",
            "--disable-pip-version-check",
            *map(str, arguments),
        ]
    )


def run(command: list[str]) -> None:
    """Run a command; its output only if it fails."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\nfailed:\n{done.stdout}{done.stderr}")


def pack(source: Path, target: Path) -> None:
    """Zip a folder's contents, equal for equal contents."""
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(p for p in source.rglob("*") if p.is_file()):
            add(archive, path.relative_to(source).as_posix(), path.read_bytes())


def repack(wheel: Path, target: Path) -> None:
    """The same wheel without the time it was built at."""
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(target, "w") as new:
        for name in sorted(n for n in old.namelist() if not n.endswith("/")):
            add(new, name, old.read(name))


def add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    """Add a file without its time and owner."""
    info = zipfile.ZipInfo(name, EPOCH)
    info.compress_type = zipfile.ZIP_STORED if name.endswith(".whl") else zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    archive.writestr(info, data)


def check(source: Path) -> None:
    """What Blender's own check looks at, for machines without Blender."""
    manifest = tomllib.loads((source / "blender_manifest.toml").read_text("utf-8"))
    problems = []
    if len(manifest["tagline"]) > 64 or manifest["tagline"].endswith("."):
        problems.append("the tagline is longer than 64 characters or ends with a full stop")
    for name, reason in manifest["permissions"].items():
        if len(reason) > 64 or reason.endswith("."):
            problems.append(
                f"the reason for the permission {name} is longer than 64 characters or ends with a full stop"
            )
    wheels = [Path(w).name for w in manifest["wheels"]]
    problems += [f"{w} is listed but missing" for w in wheels if not (source / "wheels" / w).is_file()]
    problems += [
        f"there is no wheel for Python {p}" for p in ("cp311", "cp313") if not any(f"-{p}-" in w for w in wheels)
    ]
    if not (source / "constraints.txt").is_file():
        problems.append("the tested versions (constraints.txt) are missing")
    problems += missing_parts(source / "wheels")
    versions = {manifest["version"], *(w.split("-")[1] for w in wheels if w.startswith("image_to_3d-"))}
    if len(versions) != 1:
        problems.append(f"the add-on and its package have different versions: {', '.join(sorted(versions))}")
    if problems:
        raise SystemExit("The extension is not valid: " + "; ".join(problems) + ".")


PARTS = (
    "cli/__init__.py",
    "server/frontend.py",
    "engines/lite/weights.npz",
    "protocol/messages.py",
    "core/__init__.py",
)
"""Files without which the wheel could not be installed as a backend."""


def missing_parts(folder: Path) -> list[str]:
    """What the wheel of this project lacks, in words."""
    for wheel in folder.glob("image_to_3d-*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            names = set(archive.namelist())
        return [f"the wheel lacks {part}" for part in PARTS if f"image_to_3d/{part}" not in names]
    return ["the wheel of this project is missing"]


def blender_check(python: Path, path: Path) -> None:
    """Validate with the command line tool that comes with Blender; it needs no window and no bpy import."""
    find = "import importlib.util, pathlib; print(pathlib.Path(importlib.util.find_spec('bpy').origin).parent)"
    package = Path(subprocess.run([python, "-c", find], check=True, capture_output=True, text=True).stdout.strip())
    tools = sorted(package.glob("**/bl_pkg/cli/blender_ext.py"))
    if not tools:
        raise SystemExit(f"{python} has no Blender to check with.")
    run([str(python), str(tools[0]), "validate", str(path)])


if __name__ == "__main__":
    sys.exit(main())
