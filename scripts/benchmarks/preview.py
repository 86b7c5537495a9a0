"""The live preview without a window: from a new pose of the viewport to its pixels, and what that costs Blender's main thread.

The sample room at 1.18 million Gaussians, a backend of this machine, and a viewport of each size drawn into an offscreen
picture. The camera moves with every picture. ``latency`` is one pose at a time: drawing the viewport (which sends the pose),
waiting for the picture as Blender's timer does, drawing again, and reading a pixel back, so that the picture is really there.
``pictures/s`` moves without waiting, with two poses in flight. ``main thread`` is all that one picture costs there: camera,
request, the timer's looks, taking it in, upload and two draw calls; how long the graphics card (or the software that stands for
one) then fills pixels is in the latency only. Where the backend needs all cores, a part of that is waiting for one; ``its
processor`` is what is left without it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from running_extension import RunningExtension

SIZES = ((640, 360), (1920, 1080))
POSES = 30
SECONDS = 5.0
REPOSITORY = Path(__file__).resolve().parents[2]


def run(args: argparse.Namespace | None = None) -> list[dict[str, Any]]:
    """One row per Blender and size.

    Args:
        args: may hold ``blender_python``, interpreters that have bpy; without it the project's own environments are used.
    """
    import numpy as np

    from benchmarks.render import sample_room
    from image_to_3d.protocol.messages import cloud_fields

    rows = []
    with tempfile.TemporaryDirectory() as folder:
        build = [sys.executable, REPOSITORY / "scripts" / "build_extension.py", "--output-dir", folder]
        subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
        (extension,) = Path(folder).glob("*.zip")
        fields = cloud_fields(sample_room())
        arrays = {name: value for name, value in fields.items() if isinstance(value, np.ndarray)}
        np.savez(Path(folder) / "cloud.npz", intrinsics=fields["intrinsics"], size=fields["image_size"], **arrays)
        for number, python in enumerate(_pythons(args)):
            user = Path(folder) / f"user-{number}"
            user.mkdir()
            environment = {
                **os.environ,
                "BLENDER_USER_RESOURCES": str(user),
                "IMAGE_TO_3D_HOME": str(user / "home"),
                "IMAGE_TO_3D_BACKEND": f'"{sys.executable}" -m image_to_3d',
                "PYTHONPATH": str(REPOSITORY / "backend"),
            }
            command = [python, __file__, extension, Path(folder) / "cloud.npz"]
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
            found = [line for line in done.stdout.splitlines() if line.startswith("[{")]
            if not found:
                raise SystemExit(f"{python}: {done.stderr or done.stdout}")
            rows += json.loads(found[-1])
    return rows


def _pythons(args: argparse.Namespace | None) -> list[Any]:
    given = getattr(args, "blender_python", None) or os.environ.get("IMAGE_TO_3D_BLENDER_PYTHON", "").split()
    if given:
        return list(given)
    from environments import available_blenders, blender_environment

    return [blender_environment(version).python for version in available_blenders()]


def _photo(addon: Any, path: str) -> Any:
    import bpy
    import numpy as np

    from image_to_3d.blender import points as blender_points
    from image_to_3d.core import GaussianCloud, Intrinsics
    from image_to_3d.protocol.messages import Result, cloud_fields

    stored = np.load(path)
    names = ("positions", "scales", "rotations", "colours", "opacities")
    cloud = GaussianCloud(
        **{name: stored[name] for name in names},
        intrinsics=Intrinsics(*map(float, stored["intrinsics"]), *map(int, stored["size"])),
    )
    recipe = addon.scene.recipe.values(bpy.context.scene.image_to_3d.recipe)
    result = Result(**cloud_fields(cloud))
    photo = addon.scene.photo_result.PhotoResult(blender_points.from_cloud(cloud), None, result, recipe)
    return addon.scene.build.build(bpy.context.scene, photo)


class _Viewport:
    """What a window does with its viewport, with a stopwatch."""

    def __init__(self, addon: Any, width: int, height: int) -> None:
        import bpy
        import gpu

        self.live, self.session = addon.runtime.objects.of(addon.viewport.live.LivePreview), RunningExtension(addon)
        self.size = width, height
        self.offscreen = gpu.types.GPUOffScreen(width, height)
        area = next(a for a in bpy.context.window_manager.windows[0].screen.areas if a.type == "VIEW_3D")
        self.space, self.region = area.spaces.active, next(r for r in area.regions if r.type == "WINDOW")
        self.main_thread = self.processor = 0.0

    @property
    def stream(self) -> Any:
        return self.live.streams[self.region.as_pointer()]

    def draw(self, step: int, finish: bool = False) -> None:
        import time
        from types import SimpleNamespace

        import bpy
        import gpu
        from mathutils import Euler, Matrix

        start, busy = time.perf_counter(), time.thread_time()
        turn = Euler((1.5708, 0.0, 0.002 * step)).to_matrix().to_4x4()
        projection = bpy.context.scene.camera.calc_matrix_camera(
            bpy.context.evaluated_depsgraph_get(), x=self.size[0], y=self.size[1]
        )
        view = (Matrix.Translation((0.001 * step, 0, 0)) @ turn).inverted()
        context = SimpleNamespace(
            region=SimpleNamespace(width=self.size[0], height=self.size[1], as_pointer=self.region.as_pointer),
            region_data=SimpleNamespace(view_matrix=view, window_matrix=projection),
            scene=bpy.context.scene,
            view_layer=bpy.context.view_layer,
            space_data=self.space,
        )
        with self.offscreen.bind():
            framebuffer = gpu.state.active_framebuffer_get()
            self.live.draw_in(context)
            self.main_thread += time.perf_counter() - start
            self.processor += time.thread_time() - busy
            if finish:
                framebuffer.read_color(0, 0, 1, 1, 4, 0, "FLOAT")

    def pump(self) -> float:
        """What the timer does; seconds until it is called again."""
        import time

        start, busy = time.perf_counter(), time.thread_time()
        interval = self.live.pump()
        self.main_thread += time.perf_counter() - start
        self.processor += time.thread_time() - busy
        if self.session.busy:
            self.session.pump()
        return interval

    def settle(self, step: int) -> None:
        import time

        end = time.monotonic() + 180
        while True:
            self.draw(step)
            self.pump()
            stream = self.stream
            if stream.picture is not None and not stream.waits(time.monotonic()) and not self.session.busy:
                return
            if time.monotonic() > end:
                raise SystemExit(self.live.sentence(stream))
            time.sleep(0.002)

    def latency(self, step: int) -> tuple[float, float, float]:
        """Seconds from a new pose to its pixels, of the main thread, and of a processor in it."""
        import time

        before, start = self.stream.picture, time.perf_counter()
        self.main_thread = self.processor = 0.0
        self.draw(step)
        while interval := self.pump():
            if self.stream.picture is not before:
                break
            time.sleep(interval)
        self.draw(step, finish=True)
        assert self.stream.picture.size == self.size, self.stream.picture.size
        return time.perf_counter() - start, self.main_thread, self.processor

    def rate(self, first: int) -> float:
        """Pictures a second while the pose changes with every redraw."""
        import time

        pictures, step, start = 0, first, time.perf_counter()
        while time.perf_counter() - start < SECONDS:
            before = self.stream.picture
            self.draw(step, finish=self.stream.picture is not before)
            step += 1
            time.sleep(self.pump())
            pictures += self.stream.picture is not before
        return pictures / (time.perf_counter() - start)


def _inside_blender(extension: str, cloud: str) -> list[dict[str, Any]]:
    import time

    import bpy
    import numpy as np

    bpy.ops.wm.read_factory_settings()
    bpy.ops.extensions.package_install_files(filepath=extension, repo="user_default", enable_on_install=True)
    import bl_ext.user_default.image_to_3d as addon

    from bpy_process import wake_gpu

    wake_gpu()
    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj)
    built = _photo(addon, cloud)
    live = addon.runtime.objects.of(addon.viewport.live.LivePreview)
    live.turn_on()
    live.pace = 0.05  # always the full size
    rows, step = [], 0
    for width, height in SIZES:
        viewport = _Viewport(addon, width, height)
        viewport.settle(step)
        viewport.stream.resolution.share = 1.0
        for step in range(step + 1, step + 4):  # noqa: B020 - goes on where the last size ended
            viewport.latency(step)
            time.sleep(0.2)
        times = []
        for step in range(step + 1, step + 1 + POSES):  # noqa: B020
            times.append(viewport.latency(step))
            time.sleep(0.05)
        seconds, held, busy = np.array(times).T * 1e3
        rate = viewport.rate(step + 1)
        step += 10_000
        rows.append(
            {
                "blender": bpy.app.version_string,
                "gaussians": built.root.image_to_3d.outcome.points,
                "size": f"{width}×{height}",
                **{f"latency p{q} ms": round(float(np.percentile(seconds, q)), 1) for q in (50, 95, 99)},
                **{f"main thread p{q} ms": round(float(np.percentile(held, q)), 2) for q in (50, 95)},
                "its processor p50 ms": round(float(np.median(busy)), 2),
                "pictures/s": round(rate, 1),
            }
        )
        viewport.settle(step)
    live.turn_off()
    from image_to_3d.protocol import Client
    from image_to_3d.protocol.messages import Shutdown

    with Client() as client:
        client.call(Shutdown(), timeout=5)
    return rows


if __name__ == "__main__":
    sys.path.insert(0, str(REPOSITORY / "scripts"))
    print(json.dumps(_inside_blender(sys.argv[1], sys.argv[2])), flush=True)
    os._exit(0)  # what Blender says about its own memory when it ends is no figure
