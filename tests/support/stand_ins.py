"""A package index on disk: wheels with names and versions but without code, so that real pip installs in seconds, offline.

One of them names the packages of a real environment, so that a backend installed beside it computes all the same.
"""

from __future__ import annotations

import base64
import hashlib
import re
import zipfile
from pathlib import Path

import tomllib

from build_extension import project_version
from paths import REPOSITORY

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
VERSIONS = dict(re.findall(r"^(\w+)==(\S+)$", (REPOSITORY / "scripts" / "constraints.txt").read_text("utf-8"), re.M))


def write_wheel(
    folder: Path, name: str, version: str, files: dict[str, bytes] | None = None, metadata: list[str] | None = None
) -> Path:
    """A pure-Python wheel.

    Args:
        folder: where.
        name, version: of the distribution.
        files: path in site-packages → content.
        metadata: further lines, such as ``Requires-Dist: …``.
    """
    files = dict(files or {})
    stem = f"{name.replace('-', '_')}-{version}"
    head = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}", *(metadata or [])]
    files[f"{stem}.dist-info/METADATA"] = ("\n".join(head) + "\n").encode()
    files[f"{stem}.dist-info/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    record = "".join(f"{path},{_hash(data)},{len(data)}\n" for path, data in files.items())
    files[f"{stem}.dist-info/RECORD"] = f"{record}{stem}.dist-info/RECORD,,\n".encode()
    path = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inner, data in files.items():
            archive.writestr(inner, data)
    return path


def _hash(data: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def write_index(folder: Path, site_packages: Path | None, torch_suffix: str = "+cpu") -> Path:
    """A stand-in for everything that the project needs, torch included.

    Args:
        folder: made.
        site_packages: where the real packages are, of the same Python; None: nothing can be imported.
        torch_suffix: of torch's version.
    """
    folder.mkdir(parents=True)
    extras = PROJECT["optional-dependencies"]
    for requirement in [*PROJECT["dependencies"], *extras["exr"], *extras["video"]]:
        name, version = re.match(r"([\w.-]+)[>=]+([\d.]+)", requirement).groups()  # type: ignore[union-attr]
        # The path comes with what is installed last: pip would take what lies there for installed.
        files = {"stand_ins.pth": f"{site_packages}\n".encode()} if site_packages and name == "psutil" else {}
        suffix = torch_suffix if name in VERSIONS else ""
        write_wheel(folder, name, VERSIONS.get(name, version) + suffix, files)
    return folder


def write_extension(folder: Path) -> Path:
    """What the installer finds in an installed extension: the project's wheel and the tested versions."""
    wheels, package = folder / "wheels", REPOSITORY / "backend" / "image_to_3d"
    wheels.mkdir(parents=True)
    files = {
        f"image_to_3d/{path.relative_to(package).as_posix()}": path.read_bytes()
        for path in sorted(package.rglob("*"))
        if path.is_file() and path.suffix != ".pyc"
    }
    metadata = [f"Requires-Dist: {requirement}" for requirement in PROJECT["dependencies"]]
    for extra, requirements in PROJECT["optional-dependencies"].items():
        metadata.append(f"Provides-Extra: {extra}")
        metadata += [f'Requires-Dist: {requirement}; extra == "{extra}"' for requirement in requirements]
    write_wheel(wheels, PROJECT["name"], project_version(), files, metadata)
    (folder / "constraints.txt").write_bytes((REPOSITORY / "scripts" / "constraints.txt").read_bytes())
    return folder
