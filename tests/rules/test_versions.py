"""Versions stand once, and say when two sides no longer understand each other."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys

import image_to_3d
from image_to_3d.protocol.messages import PROTOCOL_VERSION, SCHEMA_FINGERPRINT
from paths import REPOSITORY
from wire_schema import fingerprint, schema_text


def test_another_schema_has_another_protocol_version() -> None:
    assert f"{PROTOCOL_VERSION}:{fingerprint()}" == f"{PROTOCOL_VERSION}:{SCHEMA_FINGERPRINT}", (
        "The schema has changed: raise PROTOCOL_VERSION unless it was raised since the last release, "
        "and put the new fingerprint beside it."
    )


def test_the_fingerprint_sees_fields_types_limits_and_defaults() -> None:
    text = schema_text()
    assert "request predict engine: str = 'auto'; " in text
    assert "photo_file: one of[array('|u1',)(None,)256000000, NoneType] = None" in text
    assert "precision: one of ('auto', 'fp32', 'bf16', 'fp16')" in text
    assert "engines: list[{name: str; " in text


def test_the_version_stands_once() -> None:
    project = (REPOSITORY / "pyproject.toml").read_text("utf-8")
    assert 'dynamic = ["version"]' in project and 'attr = "image_to_3d.__version__"' in project
    for place in ("pyproject.toml", "blender_addon/blender_manifest.toml"):
        text = (REPOSITORY / place).read_text("utf-8")
        assert not re.search(r"^version\s*=\s*\"", text, re.MULTILINE), f"{place} has a version of its own"


def test_the_extension_has_the_version_of_the_package() -> None:
    code = "import build_extension; print(build_extension.project_version())"
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY / "scripts", capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == image_to_3d.__version__


def test_the_installed_package_says_the_same() -> None:
    assert importlib.metadata.version("image-to-3d") == image_to_3d.__version__
