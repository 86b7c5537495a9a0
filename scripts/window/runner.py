"""The outer side: a virtual screen, a Blender on it, a mouse, and pictures."""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from PIL import Image

REPOSITORY = Path(__file__).resolve().parents[2]
SCENARIOS = Path(__file__).with_name("scenarios")
SCREEN = (1440, 900)
MAX_BYTES = 350_000
BACKEND = ["-m", "image_to_3d"]
"""What the backend's Python runs, unless the scenario says otherwise."""

_LANGUAGES = """0:Automatic (Automatic):
1:English (English):en_US
13:Simplified Chinese (简体中文):zh_HANS
"""
"""Debian's Blender comes without its list of languages and its own translations. With this list the extension's tables can be
seen, Blender's words stay English."""

_IN_CHROOT = """
root=$1; folder=$2; folders=$3; shift 3
mount --make-rprivate /
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc" 2>/dev/null || mount --bind /proc "$root/proc"
mkdir -p "$root/mnt" && mount --bind "$folder" "$root/mnt"
for path in $folders; do mkdir -p "$root$path" && mount --bind "$path" "$root$path"; done
locale="$root/usr/share/locale"
if [ ! -e "$locale/languages" ]; then mount -t overlay none -o "lowerdir=$folder/locale:$locale" "$locale"; fi
exec chroot "$root" /usr/bin/env -i "$@"
"""


class Desktop:
    """A virtual screen with programs on it, on this machine or in a chroot. The work folder is ``/mnt`` in there.

    Args:
        folder: to work in.
        chroot: root of a Debian; None for this machine.
        mounts: folders of this machine that the chroot sees too, at the same place.
    """

    def __init__(self, folder: Path, chroot: Path | None, mounts: Sequence[Path] = ()) -> None:
        self.folder, self.chroot, self.mounts = folder, chroot, mounts
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
            line += [str(self.chroot), str(self.folder), " ".join(map(str, self.mounts)), *settings, *command]
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

    def picture_once_coloured(self, name: str, seconds: float = 240) -> Image.Image:
        """The screen once a scene is on it: until its shaders are compiled, which software drivers take long for, it is grey."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(5)
            picture = self.picture(name)
            view = np.asarray(picture.crop((200, 200, 700, 600))).astype(int)
            if (view.max(axis=2) - view.min(axis=2) > 40).mean() > 0.2:
                return picture
        raise SystemExit(f"'{name}' stayed grey.")

    def keys(self, *names: str) -> None:
        """Press keys one after the other, by their names in X: F3, Return, ctrl+z …"""
        for name in names:
            self.run("xdotool", "key", name, "sleep", "0.2")

    def type(self, text: str) -> None:
        """Type letters."""
        self.run("xdotool", "type", "--delay", "40", text)

    def drag(self, start: tuple[int, int], by: tuple[int, int]) -> None:
        """Press the left button at ``start``, move, let go."""
        self.run("xdotool", "mousemove", str(start[0]), str(start[1]), "sleep", "0.3", "mousedown", "1", "sleep", "0.2")
        self.run("xdotool", "mousemove_relative", "--", str(by[0]), str(by[1]), "sleep", "0.3", "mouseup", "1")
        time.sleep(0.5)

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
    """The steps of a scenario's ``inside.py``, seen from outside."""

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

    def sidebar(self, facts: dict[str, Any], picture: Image.Image | None = None) -> Image.Image:
        """The sidebar cut out of a picture of the screen, of now if none is given."""
        x, y, width, height = facts["sidebar"]
        top = facts["window_height"] - y - height
        return (picture or self.desktop.picture("sidebar")).crop((x, top, x + width, top + height))

    def click_in_sidebar(self, facts: dict[str, Any], position: tuple[int, int]) -> None:
        """Click at pixels from the top left corner of the sidebar."""
        x, y, _, height = facts["sidebar"]
        self.desktop.click(x + position[0], facts["window_height"] - y - height + position[1])

    def widen_sidebar(self, facts: dict[str, Any], pixels: int) -> None:
        """Drag its edge: it opens narrower than people use it."""
        self.desktop.drag((facts["sidebar"][0] - 1, SCREEN[1] // 2), (-pixels, 0))


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


def names() -> list[str]:
    """The scenarios that exist."""
    return sorted(path.parent.name for path in SCENARIOS.glob("*/outside.py"))


def scenario(name: str) -> ModuleType:
    """The outer half of a scenario."""
    spec = importlib.util.spec_from_file_location(f"scenario_{name}", SCENARIOS / name / "outside.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(
    name: str,
    extension: Path,
    output: Path,
    chroot: Path | None = None,
    binary: str = "blender",
    keep: bool = False,
    mounts: Sequence[Path] = (),
    variables: Mapping[str, str] | None = None,
) -> None:
    """Play a scenario.

    Args:
        name: its folder.
        extension: the zip.
        output: folder for pictures.
        chroot: root of a Debian that has the programs; None for this machine.
        binary: Blender.
        keep: leave the work folder and print its path.
        mounts: folders of this machine that the chroot sees too.
        variables: further environment of Blender.
    """
    outer = scenario(name)
    folder = Path(tempfile.mkdtemp(prefix=f"image-to-3d-window-{name}-"))
    (folder / "user").mkdir()
    shutil.copytree(REPOSITORY / "tests" / "data" / "living_a", folder / "living_a")
    shutil.copy(extension, folder / "extension.zip")
    shutil.copy(Path(__file__).with_name("inside.py"), folder / "window.py")
    shutil.copy(REPOSITORY / "scripts" / "running_extension.py", folder)
    shutil.copytree(SCENARIOS / name, folder / "scenario")
    (folder / "locale").mkdir()
    (folder / "locale" / "languages").write_text(_LANGUAGES, "utf-8")
    (folder / "start.py").write_text(
        "import os, sys\nsys.path.insert(0, os.environ['IMAGE_TO_3D_WINDOW'])\n"
        "import window\nfrom scenario import inside\nwindow.run(inside.steps())\n"
    )
    desktop = Desktop(folder, chroot, mounts)
    arguments = getattr(outer, "BACKEND", BACKEND)
    if arguments is not None:
        environment = {
            **os.environ,
            "IMAGE_TO_3D_HOME": str(folder / "home"),
            "PYTHONPATH": os.pathsep.join(map(str, (REPOSITORY / "backend", REPOSITORY / "tests"))),
        }
        command = [sys.executable, *arguments, "serve", "--idle-exit", "10"]
        desktop.processes.append(subprocess.Popen(command, env=environment, cwd=REPOSITORY))
    try:
        desktop.start("Xvfb", desktop.display, "-screen", "0", f"{SCREEN[0]}x{SCREEN[1]}x24", "-nolisten", "tcp")
        time.sleep(2)
        process = desktop.start(
            *[binary, "--gpu-backend", "opengl", "-p", "0", "0", *map(str, getattr(outer, "WINDOW", SCREEN))],
            *["-P", desktop.path("start.py")],
            IMAGE_TO_3D_HOME=desktop.path("home"),
            IMAGE_TO_3D_WINDOW=desktop.path(""),
            BLENDER_USER_RESOURCES=desktop.path("user"),
            **(variables or {}),
        )
        outer.drive(Blender(desktop, process), output)
    finally:
        desktop.close()
        if keep:
            print(folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)
