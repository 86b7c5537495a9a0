"""Files that older Blenders saved open in this one: recipe, display, attributes, edits, and Update."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="needs the bpy module of a real Blender")

from displayed import splats  # noqa: E402 - needs bpy
from paths import REPOSITORY, TESTS  # noqa: E402

ENVIRONMENTS = Path(os.environ.get("IMAGE_TO_3D_ENVS") or REPOSITORY / ".envs")


def older_blenders() -> dict[str, Path]:
    """Version → Python of the environments that hold an older Blender than this one."""
    found = {}
    for folder in sorted(ENVIRONMENTS.glob("blender-*")):
        version = folder.name.removeprefix("blender-")
        python = next((p for p in (folder / "bin/python", folder / "Scripts/python.exe") if p.exists()), None)
        if python is not None and tuple(map(int, re.findall(r"\d+", version)[:2])) < bpy.app.version[:2]:
            found[version] = python
    return found


OLDER = older_blenders()


@pytest.mark.skipif(not OLDER, reason=f"no older Blender among the environments in {ENVIRONMENTS} (IMAGE_TO_3D_ENVS)")
@pytest.mark.parametrize("version", sorted(OLDER))
def test_a_file_of_an_older_blender_opens_and_is_updated(
    panel, addon, extension_zip, tmp_path: Path, version: str
) -> None:
    writer = TESTS / "blender" / "support" / "write_file.py"
    done = subprocess.run(
        [OLDER[version], writer, extension_zip, tmp_path], capture_output=True, text=True, timeout=280
    )
    assert (tmp_path / "facts.json").exists(), done.stdout[-1500:] + done.stderr[-1500:]
    facts = json.loads((tmp_path / "facts.json").read_text())

    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "old.blend"))
    built = addon.scene.roles.find(bpy.data.objects[facts["root"]])
    settings, edits = built.root.image_to_3d, addon.scene.edits
    assert asdict(addon.scene.recipe.values(settings.recipe)) == pytest.approx(facts["recipe"])
    assert (settings.display, settings.viewport_share) == ("SPLATS", 0.5)
    assert built.points.type == facts["type"] and settings.outcome.points == facts["points"]
    for name, total in facts["attributes"].items():
        assert np.abs(addon.scene.points.read(built.points, name)).sum(dtype=float) == pytest.approx(total), name
    assert edits.kept(built.points).sum() == facts["kept"] < facts["points"]
    assert built.camera is not None and len(built.surface.data.vertices) > 1000

    expected = addon.scene.splats.ellipsoids.shown(facts["kept"], 0.5).sum()
    assert splats(built.points) == expected, "one for each point of the half that viewports show"
    settings.viewport_share = 1.0
    assert splats(built.points) == facts["kept"], "the old file's modifiers take new values"

    bpy.context.view_layer.objects.active = built.root
    settings.recipe.focal = "PHOTO"
    assert bpy.ops.image_to_3d.update() == {"FINISHED"}
    panel.session.wait(120)
    assert panel.session.last_root == facts["root"] and settings.outcome.focal_source == "exif35"
    assert settings.display == "SPLATS" and edits.kept(built.points).sum() < facts["points"]
    settings.display = "POINTS"
    assert bpy.ops.image_to_3d.restore_all() == {"FINISHED"}
    assert edits.kept(built.points).all()
