"""Looks at the live preview, takes its backend away and gives it another one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from window.runner import REPOSITORY, Blender, save


def drive(blender: Blender, output: Path) -> None:
    """All steps, with a picture of each that is worth one."""
    desktop = blender.desktop
    for step in ("points", "solid", "material", "quad", "windows", "reloaded", "lost"):
        facts = blender.wait(step, 400)
        time.sleep(2)
        picture = desktop.picture(step)
        print(step, {k: v for k, v in facts.items() if k in {"hidden", "streams", "after", "points"}}, flush=True)
        if step == "solid":
            save(picture, output / "live-preview.png")
        if step == "lost":
            start_backend(blender)
        blender.go_on(step)
    for step, wanted in (("back", {}), ("deleted", {"pictures": 0}), ("off", {"timer": False, "streams": 0})):
        facts = blender.wait(step, 120)
        desktop.picture(step)
        if any(facts[key] != value for key, value in wanted.items()):
            raise SystemExit(f"After '{step}': {facts}")
        blender.go_on(step)
    log = (desktop.folder / "blender.log").read_text(errors="replace")
    complaints = [line for line in log.splitlines() if "Traceback" in line or "Error" in line]
    if complaints:
        raise SystemExit("The console complains:\n" + "\n".join(complaints))


def start_backend(blender: Blender) -> None:
    """Another one for the same account."""
    folder = blender.desktop.folder
    environment = {**os.environ, "IMAGE_TO_3D_HOME": str(folder / "home"), "PYTHONPATH": str(REPOSITORY / "backend")}
    command = [sys.executable, "-m", "image_to_3d", "serve", "--idle-exit", "10"]
    blender.desktop.processes.append(subprocess.Popen(command, env=environment, cwd=REPOSITORY))
