#!/usr/bin/env python3
"""Drive a Blender with a window as a person would, and take pictures of it for the documentation.

    python scripts/window_screenshot.py --chroot DIR --zip ZIP      # a Debian with blender, xvfb, xdotool, imagemagick; needs root
    python scripts/window_screenshot.py --zip ZIP                   # the same programs of this machine

Run it with the backend's Python. Starts the backend, a virtual screen and Blender; installs the zip, shows an error, presses the
button with the mouse, waits for the room, looks at it in Solid and Material Preview, undoes it. Writes ``docs/images/panel.png``
and its companions, and fails if a step does not happen.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

REPOSITORY = Path(__file__).resolve().parent.parent
SCREEN = (1440, 900)
MAX_BYTES = 600_000
_IN_CHROOT = """
root=$1; folder=$2; shift 2
mount --make-rprivate /
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc" 2>/dev/null || mount --bind /proc "$root/proc"
mkdir -p "$root/mnt" && mount --bind "$folder" "$root/mnt"
exec chroot "$root" /usr/bin/env -i "$@"
"""


class Desktop:
    """A virtual screen with programs on it, on this machine or in a chroot. The work folder is ``/mnt`` in there."""

    def __init__(self, folder: Path, chroot: Path | None) -> None:
        self.folder, self.chroot = folder, chroot
        self.display = f":{90 + os.getpid() % 900}"
        self.processes: list[subprocess.Popen[bytes]] = []

    def path(self, inside: str) -> str:
        """A file of the work folder as the programs see it."""
        return f"/mnt/{inside}" if self.chroot else str(self.folder / inside)

    def start(self, *command: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start a program; its output goes to a file named after it."""
        variables = {
            "PATH": os.environ["PATH"] if self.chroot is None else "/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": self.path("user"),
            "DISPLAY": self.display,
            "LC_ALL": "C.UTF-8",
            "LIBGL_ALWAYS_SOFTWARE": "1",
            **environment,
        }
        settings = [f"{key}={value}" for key, value in variables.items()]
        if self.chroot is None:
            line = ["env", "-i", *settings, *command]
        else:
            line = ["unshare", "--mount", "bash", "-c", _IN_CHROOT, "_"]
            line += [str(self.chroot), str(self.folder), *settings, *command]
        with (self.folder / f"{Path(command[0]).name}.log").open("ab") as log:
            process = subprocess.Popen(line, stdout=log, stderr=subprocess.STDOUT)
        self.processes.append(process)
        return process

    def run(self, *command: str) -> None:
        """Run a program to its end."""
        if self.start(*command).wait(60):
            raise SystemExit(f"{' '.join(command)} failed; see {self.folder}")

    def picture(self, name: str) -> Image.Image:
        """What is on the screen."""
        self.run("import", "-window", "root", self.path(f"{name}.png"))
        return Image.open(self.folder / f"{name}.png").convert("RGB")

    def click(self, x: int, y: int) -> None:
        """Move the mouse there and press its left button."""
        self.run("xdotool", "mousemove", str(x), str(y), "sleep", "0.4", "mousemove_relative", "1", "0")
        self.run("xdotool", "sleep", "0.3", "click", "1")

    def close(self) -> None:
        """End what was started."""
        for process in reversed(self.processes):
            if process.poll() is None:
                process.terminate()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


class Blender:
    """The steps of ``window_inside_blender.py``, seen from outside."""

    def __init__(self, desktop: Desktop, process: subprocess.Popen[bytes]) -> None:
        self.desktop, self.process = desktop, process

    def wait(self, step: str, seconds: float = 120) -> dict[str, Any]:
        """Facts of a step, once it is on screen."""
        path = self.desktop.folder / f"{step}.json"
        end = time.monotonic() + seconds
        while not path.exists():
            failed = self.desktop.folder / "failed.txt"
            if failed.exists():
                raise SystemExit(f"Blender failed before '{step}':\n{failed.read_text()}")
            if self.process.poll() is not None or time.monotonic() > end:
                log = (self.desktop.folder / "blender.log").read_text(errors="replace")
                raise SystemExit(f"'{step}' did not come:\n{log[-3000:]}")
            time.sleep(0.05)
        return json.loads(path.read_text())

    def go_on(self, step: str) -> None:
        """Let Blender continue."""
        (self.desktop.folder / f"{step}.done").touch()

    def sidebar_of(self, picture: Image.Image, facts: dict[str, Any]) -> Image.Image:
        """The sidebar cut out of a picture of the screen."""
        x, y, width, height = facts["sidebar"]
        top = facts["window_height"] - y - height
        return picture.crop((x, top, x + width, top + height))


def tall_button(sidebar: Image.Image) -> tuple[int, int]:
    """Centre of the main button: the tallest run of one colour between two rows of the panel."""
    pixels = np.asarray(sidebar).astype(int)
    column = pixels[:, int(sidebar.width * 0.18)]
    same = np.abs(np.diff(column, axis=0)).max(axis=1) <= 3
    edges = np.flatnonzero(~same)
    runs = [(b - a, (a + b) // 2, column[(a + b) // 2]) for a, b in itertools.pairwise(edges)]
    background = np.median(pixels.reshape(-1, 3), axis=0)
    buttons = [(n, y) for n, y, colour in runs if 24 <= n <= 60 and np.abs(colour - background).max() > 12]
    if not buttons:
        raise SystemExit("The main button was not found in the sidebar.")
    return int(sidebar.width * 0.5), max(buttons)[1]


def save(picture: Image.Image, path: Path) -> None:
    """Write a PNG small enough for a repository."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for colours in (None, 256, 128, 64):
        small = picture if colours is None else picture.quantize(colours, dither=Image.Dither.FLOYDSTEINBERG)
        small.save(path, optimize=True)
        if path.stat().st_size <= MAX_BYTES:
            return


def side_by_side(pictures: list[Image.Image], gap: int = 12) -> Image.Image:
    """Pictures in a row on a dark ground."""
    height = max(p.height for p in pictures)
    out = Image.new("RGB", (sum(p.width for p in pictures) + gap * (len(pictures) - 1), height), (24, 24, 24))
    x = 0
    for picture in pictures:
        out.paste(picture, (x, 0))
        x += picture.width + gap
    return out


def compiled_picture(desktop: Desktop, seconds: float = 240) -> Image.Image:
    """The screen once the room is on it: until its shaders are compiled, which software drivers take long for, it is empty."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(5)
        picture = desktop.picture("material")
        view = np.asarray(picture.crop((200, 200, 700, 600))).astype(int)
        if (view.max(axis=2) - view.min(axis=2) > 40).mean() > 0.2:
            return picture
    raise SystemExit("Material Preview stayed empty.")


def drive(blender: Blender, output: Path) -> None:
    """All steps, with a picture of each."""
    desktop = blender.desktop
    sidebars = []
    for step in ("empty", "error", "before"):
        facts = blender.wait(step)
        time.sleep(0.5)
        if step == "empty":  # drag the edge of the sidebar: it opens narrower than people use it
            x, y = facts["sidebar"][0] - 1, SCREEN[1] // 2
            desktop.run("xdotool", "mousemove", str(x), str(y), "sleep", "0.3", "mousedown", "1", "sleep", "0.2")
            desktop.run("xdotool", "mousemove_relative", "--", "-60", "0", "sleep", "0.3", "mouseup", "1")
            time.sleep(0.5)
            blender.go_on(step)
            continue
        picture = desktop.picture(step)
        sidebar = blender.sidebar_of(picture, facts)
        sidebars.append(sidebar)
        if step == "before":
            x, y = tall_button(sidebar)
            blender.go_on(step)
            desktop.click(facts["sidebar"][0] + x, facts["window_height"] - sum(facts["sidebar"][1::2]) + y)
        else:
            blender.go_on(step)
    facts = blender.wait("progress")
    sidebars.append(blender.sidebar_of(desktop.picture("progress"), facts))
    blender.go_on("progress")
    facts = blender.wait("solid")
    print(f"Blender {facts['blender']}, longest pause of its main thread {facts['longest_pause']:.2f} s")
    time.sleep(3)
    picture = desktop.picture("solid")
    sidebars.append(blender.sidebar_of(picture, facts))
    save(picture, output / "panel.png")
    blender.go_on("solid")
    blender.wait("material")
    save(compiled_picture(desktop), output / "material.png")
    blender.go_on("material")
    blender.wait("camera")
    time.sleep(5)
    save(desktop.picture("camera"), output / "camera.png")
    blender.go_on("camera")
    facts = blender.wait("undone")
    if facts["objects"]:
        raise SystemExit(f"Undo left {facts['objects']} objects.")
    blender.go_on("undone")
    height = max(s.height for s in sidebars) * 3 // 4
    save(side_by_side([s.crop((0, 0, s.width, height)) for s in sidebars]), output / "panel-states.png")


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Drive a Blender with a window and take pictures of it.")
    parser.add_argument("--zip", type=Path, required=True, help="the extension, see build_extension.py")
    parser.add_argument("--chroot", type=Path, help="root folder of a Debian that has the programs")
    parser.add_argument("--blender", default="blender", help="the Blender binary")
    parser.add_argument("--output-dir", type=Path, default=REPOSITORY / "docs" / "images")
    parser.add_argument("--keep", action="store_true", help="keep the work folder")
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="image-to-3d-window-"))
    (folder / "user").mkdir()
    shutil.copytree(REPOSITORY / "tests" / "data" / "living_a", folder / "living_a")
    shutil.copy(args.zip, folder / "extension.zip")
    shutil.copy(Path(__file__).with_name("window_inside_blender.py"), folder)
    desktop = Desktop(folder, args.chroot)
    environment = {**os.environ, "IMAGE_TO_3D_HOME": str(folder / "home"), "PYTHONPATH": str(REPOSITORY / "backend")}
    backend = subprocess.Popen([sys.executable, "-m", "image_to_3d", "serve", "--idle-exit", "10"], env=environment)
    desktop.processes.append(backend)
    try:
        desktop.start("Xvfb", desktop.display, "-screen", "0", f"{SCREEN[0]}x{SCREEN[1]}x24", "-nolisten", "tcp")
        time.sleep(2)
        command = [args.blender, "--gpu-backend", "opengl", "-p", "0", "0", *map(str, SCREEN)]
        process = desktop.start(
            *command,
            "-P",
            desktop.path("window_inside_blender.py"),
            IMAGE_TO_3D_HOME=desktop.path("home"),
            IMAGE_TO_3D_WINDOW=desktop.path(""),
            IMAGE_TO_3D_WINDOW_SAMPLE=desktop.path("living_a"),
            IMAGE_TO_3D_WINDOW_ZIP=desktop.path("extension.zip"),
            BLENDER_USER_RESOURCES=desktop.path("user"),
        )
        drive(Blender(desktop, process), args.output_dir)
    finally:
        desktop.close()
        if args.keep:
            print(folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
